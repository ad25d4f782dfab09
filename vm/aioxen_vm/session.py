# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs one command in a machine. Handles the command's streams, signals, time limit and exit status."""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from .console import Console
from .frames import Kind, Reader, pack, pack_json
from .machine import Machine

TIMED_OUT = 124
MACHINE_DIED = 125
SIGNALLED = 128
# The time in which the command can clean up after a signal, in seconds. The machine is then killed.
GRACE_SECONDS = 10
CHUNK = 65536
UNSENT_LIMIT = 1 << 20  # The launcher stops reading standard input while this number of bytes is unsent.
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Session:
    """Runs one command in `machine`. If a stream of this process is a terminal, the command's stream is a
    terminal, too.

    limit: The time limit in seconds, or None. interactive: True: all keys of this process's terminal go to
    the command.
    """

    def __init__(
        self,
        machine: Machine,
        command: dict[str, Any],
        limit: float | None,
        interactive: bool,
        console: Console,
    ) -> None:
        self._machine = machine
        self._command = command
        self._limit = limit
        self._interactive = interactive
        self._console = console
        self._reader = Reader()
        self._unsent = bytearray()
        self._deadline = None if limit is None else time.monotonic() + limit
        self._ending: int | None = None  # The exit status if the command does not end by itself.
        self._status: int | None = None
        self._signals = _caught_signals()
        # This selector supports plain files. Standard input may be a plain file.
        self._selector = selectors.PollSelector()
        self._stdin = sys.stdin.fileno() if interactive or not sys.stdin.isatty() else None

    def run(self) -> int:
        """Returns the command's exit status. Returns 124 if the time limit has ended the command, or 125
        if the machine has died."""
        self._machine.agent.setblocking(False)
        died = os.pidfd_open(self._machine.process.pid)
        self._watch(died, self._died)
        self._watch(self._signals, self._from_signals)
        self._watch(self._machine.console, self._from_console)
        self._send(pack_json(Kind.RUN, self._command | self._surroundings()))
        while self._status is None:
            self._watch_agent_and_stdin()
            left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            ready = self._selector.select(left)
            if not ready:
                self._out_of_time()
            # The machine's end is handled after all other events, because the machine's last output must not
            # be lost.
            for key, events in sorted(ready, key=lambda item: item[0].fd == died):
                if self._status is None:
                    key.data(events)
        return self._status

    def _watch(self, source: int | socket.socket, action: Callable[[int], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, action)

    def _watch_agent_and_stdin(self) -> None:
        """Watches the agent for writability if there is data to send. Watches standard input while less
        than UNSENT_LIMIT is unsent."""
        agent = self._machine.agent
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if agent not in self._selector.get_map():
            self._selector.register(agent, wanted, self._from_agent)
        elif self._selector.get_key(agent).events != wanted:
            self._selector.modify(agent, wanted, self._from_agent)
        if self._stdin is None:
            return
        watched, room = self._stdin in self._selector.get_map(), len(self._unsent) < UNSENT_LIMIT
        if room and not watched:
            self._watch(self._stdin, self._from_stdin)
        elif watched and not room:
            self._selector.unregister(self._stdin)

    def _surroundings(self) -> dict[str, Any]:
        streams = {"out": sys.stdout, "err": sys.stderr}
        terminals = [name for name, stream in streams.items() if stream.isatty()]
        return {
            "terminals": terminals + (["in"] if self._interactive else []),
            "stdin": self._stdin is not None,
            "window": _window(),
            "time": time.time(),
            "entropy": os.urandom(32).hex(),
        }

    def _send(self, frame: bytes) -> None:
        self._unsent += frame

    def _out_of_time(self) -> None:
        if self._ending is None:
            print(f"aioxen-vm: time limit of {self._limit:g} s reached", file=sys.stderr)
            self._ask_to_end(signal.SIGINT, TIMED_OUT)  # SIGINT makes a test suite report its progress.
        else:
            self._status = self._ending

    def _ask_to_end(self, number: int, status: int) -> None:
        self._send(pack(Kind.SIGNAL, b"%d" % number))
        self._deadline, self._ending = time.monotonic() + GRACE_SECONDS, status

    def _died(self, _: int) -> None:
        words = self._machine.last_words()
        print(f"aioxen-vm: the machine died (QEMU: {words}); Xen's console said:", file=sys.stderr)
        print(self._console.text(), file=sys.stderr)
        self._status = MACHINE_DIED

    def _from_signals(self, _: int) -> None:
        for number in os.read(self._signals, CHUNK):
            if number == signal.SIGWINCH:
                self._send(pack(Kind.WINDOW, b"%d %d" % tuple(_window())))
            elif self._ending == SIGNALLED + number:  # A second signal ends the session at once.
                self._status = self._ending
            elif number in FORWARDED:
                self._ask_to_end(number, SIGNALLED + number)

    def _from_stdin(self, _: int) -> None:
        assert self._stdin is not None
        data = os.read(self._stdin, CHUNK)
        self._send(pack(Kind.IN, data))
        if not data:
            self._selector.unregister(self._stdin)
            self._stdin = None

    def _from_console(self, _: int) -> None:
        if data := self._machine.console.recv(CHUNK):
            self._console.add(data)
        else:
            self._selector.unregister(self._machine.console)

    def _from_agent(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            with contextlib.suppress(ConnectionError):  # QEMU is ending. self._died handles the end.
                del self._unsent[: self._machine.agent.send(self._unsent)]
        if not events & selectors.EVENT_READ:
            return
        data = b""
        with contextlib.suppress(ConnectionError):
            data = self._machine.agent.recv(CHUNK)
        for kind, content in self._reader.feed(data):
            if kind is Kind.OUT:
                _write(sys.stdout.fileno(), content)
            elif kind is Kind.ERR:
                _write(sys.stderr.fileno(), content)
            elif kind is Kind.EXIT:
                self._status = TIMED_OUT if self._ending == TIMED_OUT else int(content)


def _caught_signals() -> int:
    """Catches the signals that are forwarded to the command. Returns a descriptor from which each signal
    can be read as one byte."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing)
    for number in (*FORWARDED, signal.SIGWINCH):
        signal.signal(number, lambda *_: None)
    return reading


def _window() -> list[int]:
    """Returns the rows and columns of this process's terminal, or 24 and 80 without a terminal."""
    for stream in (sys.stdout, sys.stderr, sys.stdin):
        if stream.isatty():
            size = os.get_terminal_size(stream.fileno())
            return [size.lines, size.columns]
    return [24, 80]


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
