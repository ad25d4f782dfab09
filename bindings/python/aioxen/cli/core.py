# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs commands: each is a coroutine function that gets a Session, which has the context, the output and the
options that all commands have.

SIGINT, SIGTERM and SIGHUP cancel the coroutine. The library then undoes or withdraws what is unfinished, and
the process ends with status 128 + the signal's number. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple, TypeVar

import click

import aioxen
from aioxen.cli import exits
from aioxen.cli.output import Output
from aioxen.cli.peers import visible
from aioxen.cli.progress import STYLES

F = TypeVar("F", bound=Callable[..., Any])

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

COMMANDS: dict[str, click.Command] = {}
"""The commands of the modules that have been imported, by name."""


class Options(NamedTuple):
    """The options that every command has."""

    json: bool = False
    quiet: bool = False
    timeout: float | None = None
    progress: str = "auto"


class Session:
    """What a command works with."""

    xen: aioxen.Context

    def __init__(self, options: Options) -> None:
        self.out: Output = Output(options.json, options.quiet)
        self.timeout: float | None = options.timeout
        self.progress: str = "none" if options.quiet else options.progress
        self.code: int = exits.Exit.OK
        """The exit status, if no error is raised."""
        self.signal: signal.Signals | None = None
        """The signal that has ended the command."""
        self.ready: Callable[[], None] = lambda: None
        """Is called when a command that goes on in the background has begun its work."""

    async def find(self, text: str) -> aioxen.Domain:
        """Returns the domain with this domid, name or UUID. Digits are a domid, as for xl."""
        return await self.xen.domain(text, timeout=self.timeout)


Body = Callable[..., Coroutine[Any, Any, None]]
"""The function of a command. It gets the Session, and the arguments by name."""


def common(function: F) -> F:
    """Adds the options that every command has."""
    for option in reversed(
        (
            click.option("--json", is_flag=True, help="Print one JSON object on a line for each result."),
            click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
                         help="Stop each operation after this time."),
            click.option("--progress", type=click.Choice(STYLES), default="auto", show_default=True,
                         help="How to show phases on standard error."),
            click.option("-q", "--quiet", is_flag=True, help="Print errors and what was asked for only."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def command(
    name: str,
    group: click.Group | None = None,
    before: Callable[[Session, dict[str, Any]], None] | None = None,
    **attrs: Any,
) -> Callable[[Body], click.Command]:
    """Returns a decorator that makes a coroutine function a command.

    before: Is called before the event loop exists, with the arguments, which it may change.
    """

    def decorate(body: Body) -> click.Command:
        def callback(json: bool, quiet: bool, timeout: float | None, progress: str, **arguments: Any) -> None:
            session = Session(Options(json, quiet, timeout, progress))
            if before is not None:
                before(session, arguments)
            sys.exit(run(session, lambda: body(session, **arguments)))

        callback.__doc__ = body.__doc__
        params = getattr(body, "__click_params__", [])  # click keeps the arguments of decorators here.
        callback.__click_params__ = params  # type: ignore[attr-defined]
        made = click.command(name, cls=click.Command, **attrs)(common(callback))
        (COMMANDS if group is None else group.commands)[name] = made
        return made

    return decorate


def group(name: str, text: str) -> click.Group:
    """Returns a new command that has commands of its own."""
    made = COMMANDS[name] = click.Group(name, help=text)
    return made


def run(session: Session, body: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Runs a command to its end, and returns the exit status."""
    try:
        code = asyncio.run(_run(session, body))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # The reader of the output has ended, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE


async def _run(session: Session, body: Callable[[], Coroutine[Any, Any, None]]) -> int:
    try:
        with _cancelled_by_signals(session):
            async with aioxen.Context() as session.xen, visible(session.xen):
                await body()
    except asyncio.CancelledError:
        if session.signal is None:
            raise
        return 128 + session.signal
    except BrokenPipeError:
        raise
    except (aioxen.Error, OSError, MemoryError, ValueError, click.ClickException) as error:
        session.out.error(error)
        return exits.code_of(error)
    return 128 + session.signal if session.signal else session.code


@contextlib.contextmanager
def _cancelled_by_signals(session: Session) -> Iterator[None]:
    loop, current = asyncio.get_running_loop(), asyncio.current_task()
    assert current is not None
    task = current

    def stop(number: signal.Signals) -> None:
        if session.signal is None:
            session.signal = number
            task.cancel()
        else:
            session.out.warn("aioxen: left at once; `aioxen unfinished list` lists unfinished domains")
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) ignores SIGHUP.
            loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
