# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs commands. A command is a coroutine function that gets a Session. The Session has the context, the
output and the options that all commands have.

SIGINT, SIGTERM and SIGHUP cancel the coroutine. The library then undoes the unfinished operations, and the
process ends with status 128 + the signal's number. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

import aioxen
from aioxen.cli import exits
from aioxen.cli.output import Output
from aioxen.cli.peers import visible
from aioxen.cli.progress import STYLES

if TYPE_CHECKING:
    from aioxen.fleet import Fleet

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
    """The context, the output and the options of one command."""

    fleet: str | None = None
    """The address of the fleet on which the command acts. None: it acts on this host."""
    identity: str | None = None
    """The directory with the certificates for the fleet."""

    _xen: aioxen.Context | None = None
    _hosts: Fleet | None = None

    def __init__(self, options: Options) -> None:
        self.out: Output = Output(options.json, options.quiet)
        self.timeout: float | None = options.timeout
        self.progress: str = "none" if options.quiet else options.progress
        self.code: int = exits.Exit.OK
        """The exit status, if no error is raised."""
        self.signal: signal.Signals | None = None
        """The signal that has ended the command. None: no signal has."""
        self.ready: Callable[[], None] = lambda: None
        """A function that a command calls when its work in the background has begun."""

    @property
    def xen(self) -> aioxen.Context:
        """The context of this host. Raises UsageError with --fleet: the command works on this host only."""
        if self._xen is None:
            raise click.UsageError("this command works on this host only, without --fleet")
        return self._xen

    @property
    def hosts(self) -> Fleet:
        """The hosts of the fleet. Raises UsageError without --fleet."""
        if self._hosts is None:
            raise click.UsageError("this command needs --fleet URL")
        return self._hosts

    async def find(self, text: str) -> aioxen.Domain:
        """Returns the domain with this domid, name or UUID. Digits are a domid, as for xl.

        With --fleet, returns the domain HOST/DOMAIN. It has the operations of an aioxen.Domain.
        """
        if self._hosts is None:
            return await self.xen.domain(text, timeout=self.timeout)
        host, slash, name = text.partition("/")
        if not slash:
            raise click.UsageError(f"{text!r}: with --fleet a domain is HOST/DOMAIN")
        return cast(aioxen.Domain, await self._hosts[host].domain(name, timeout=self.timeout))

    async def expand(self, texts: Iterable[str]) -> list[str]:
        """Returns the names of domains, each once. With --fleet, replaces patterns by names."""
        if self._hosts is None:
            return list(dict.fromkeys(texts))
        from aioxen.fleet.select import targets

        found = [target.name for text in texts for target in await targets(self._hosts, text)]
        return list(dict.fromkeys(found))


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

    before: A function that is called with the arguments before the event loop exists. It may change the
    arguments.
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
            if session.fleet is not None:
                from aioxen import fleet

                # asyncio warns each time a broker closes a connection with TLS.
                logging.getLogger("asyncio").setLevel(logging.ERROR)
                async with fleet.connect(session.fleet, identity=session.identity) as session._hosts:
                    await session.hosts.settle()
                    await body()
            else:
                async with aioxen.Context() as session._xen, visible(session.xen):
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
