# SPDX-License-Identifier: LGPL-2.1-or-later
"""One command in a machine: its streams, signals and time limit, until its exit status is known."""

import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from .frames import Kind, Reader, pack, pack_json
from .machine import Console, Machine

TIMED_OUT = 124
MACHINE_DIED = 125
GRACE_SECONDS = 10  # for the command's own cleaning up after a signal, before the machine is ended
CHUNK = 65536
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Session:
    """Runs `command` in `machine`. Where our own streams are terminals, the command gets one."""

    machine: Machine
    command: dict[str, Any]  # what the agent needs to run it
    limit: float | None  # seconds
    interactive: bool = False
    console: Console = field(default_factory=Console)

    def __post_init__(self) -> None:
        self._reader = Reader()
        self._status: int | None = None
        self._deadline = None if self.limit is None else time.monotonic() + self.limit
        self._deadline_status = TIMED_OUT  # what the deadline means
        self._signals, self._signals_in = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Returns the command's exit status, 124 when out of time, 125 when the machine died."""
        self._catch_signals()
        died = os.pidfd_open(self.machine.process.pid)
        forward_stdin = self.interactive or not sys.stdin.isatty()
        for source, action in (
            (self.machine.agent, self._from_agent),
            (self.machine.console, self._from_console),
            (self._signals, self._from_signals),
            (died, self._died),
        ):
            self._selector.register(source, selectors.EVENT_READ, action)
        self.machine.agent.sendall(pack_json(Kind.RUN, self._run_frame(forward_stdin)))
        if forward_stdin:
            try:
                self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._from_stdin)
            except PermissionError:  # a plain file: always ready, so it needs no waiting
                self._send_file(sys.stdin.fileno())
        while self._status is None:
            ready = self._selector.select(self._time_left())
            if not ready:
                self._out_of_time()
            # the machine's death last: what it said before is still to be read
            for key, _ in sorted(ready, key=lambda item: item[0].fileobj == died):
                if self._status is None:
                    key.data()
        return self._status

    def _run_frame(self, forward_stdin: bool) -> dict[str, Any]:
        terminals = [name for name, stream in (("out", sys.stdout), ("err", sys.stderr)) if stream.isatty()]
        if self.interactive:
            terminals.append("in")
        return self.command | {
            "terminals": terminals,
            "stdin": forward_stdin,
            "window": _window(),
            "time": time.time(),
            "entropy": os.urandom(32).hex(),
        }

    def _catch_signals(self) -> None:
        self._signals_in.setblocking(False)
        signal.set_wakeup_fd(self._signals_in.fileno())
        for number in (*FORWARDED, signal.SIGWINCH):
            signal.signal(number, lambda *_: None)

    def _time_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _out_of_time(self) -> None:
        if self._deadline_status == TIMED_OUT and self.limit is not None:
            print(f"aioxen-vm: time limit of {self.limit:g} s reached", file=sys.stderr)
            self.limit = None
            self._ask_to_end(signal.SIGINT, TIMED_OUT)  # a test suite then says where it was
        else:
            self._status = self._deadline_status

    def _ask_to_end(self, number: int, status: int) -> None:
        self.machine.agent.sendall(pack(Kind.SIGNAL, str(int(number)).encode()))
        self._deadline, self._deadline_status = time.monotonic() + GRACE_SECONDS, status

    def _from_signals(self) -> None:
        for number in self._signals.recv(CHUNK):
            if number == signal.SIGWINCH:
                self.machine.agent.sendall(pack(Kind.WINDOW, b"%d %d" % tuple(_window())))
            elif self._deadline_status == 128 + number:  # the second time: at once
                self._status = self._deadline_status
            elif number in FORWARDED:
                self._ask_to_end(number, 128 + number)

    def _from_stdin(self) -> None:
        data = os.read(sys.stdin.fileno(), CHUNK)
        self.machine.agent.sendall(pack(Kind.IN, data))
        if not data:
            self._selector.unregister(sys.stdin.fileno())

    def _send_file(self, fd: int) -> None:
        while data := os.read(fd, CHUNK):
            self.machine.agent.sendall(pack(Kind.IN, data))
        self.machine.agent.sendall(pack(Kind.IN))

    def _from_console(self) -> None:
        if data := self.machine.console.recv(CHUNK):
            self.console.add(data)
        else:
            self._selector.unregister(self.machine.console)

    def _from_agent(self) -> None:
        data = self.machine.agent.recv(CHUNK)
        if not data:
            self._selector.unregister(self.machine.agent)
        for kind, content in self._reader.feed(data):
            if kind is Kind.OUT:
                _write(sys.stdout.fileno(), content)
            elif kind is Kind.ERR:
                _write(sys.stderr.fileno(), content)
            elif kind is Kind.EXIT:
                status = int(content)
                self._status = TIMED_OUT if self.limit is None and self._deadline_status == TIMED_OUT and self._deadline else status

    def _died(self) -> None:
        words = self.machine.last_words()
        print(f"aioxen-vm: the machine died (QEMU: {words}); Xen's console said:", file=sys.stderr)
        print(self.console.text() or "(nothing)", file=sys.stderr)
        self._status = MACHINE_DIED


def _window() -> list[int]:
    for stream in (sys.stdout, sys.stderr, sys.stdin):
        if stream.isatty():
            size = os.get_terminal_size(stream.fileno())
            return [size.lines, size.columns]
    return [24, 80]


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
