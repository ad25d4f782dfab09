# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command aioxen-agent: serves the operations of this host to a fleet."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import aioxen
from aioxen.fleet import subjects, wire
from aioxen.fleet.agent import Agent
from aioxen.fleet.audit import Audit
from aioxen.fleet.journal import Journal
from aioxen.fleet.passage import Passages
from aioxen.fleet.policy import Policy
from aioxen.fleet.recovery import recover
from aioxen.fleet.sequence import Sequence
from aioxen.fleet.url import Url

if TYPE_CHECKING:
    from aioxen.fleet.identity import Identity

SOCKET = "/run/aioxen-agent/socket"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="aioxen-agent", description="Serves this host's operations to a fleet."
    )
    add = made.add_argument
    add("--url", metavar="URL", help="tls://BROKER[:PORT], nats://127.0.0.1[:PORT], or unix:///PATH")
    add("--host", default=socket.gethostname().partition(".")[0], help="this host's name in the fleet")
    add("--identity", type=Path, metavar="DIR", help="the directory with ca.pem, cert.pem and key.pem")
    add("--policy", type=Path, metavar="FILE", help="who may call what (TOML)")
    add("--state", type=Path, metavar="DIR", help="where calls are remembered; default: in memory")
    add(
        "--passage", metavar="ADDRESS", help="where this host receives guests of other hosts: tcp://HOST:PORT"
    )
    add("--trace", action="store_true", help="make spans of OpenTelemetry, below those of the callers")
    add("--audit", type=Path, metavar="FILE", help="the audit log; default: standard output")
    add(
        "--stdio",
        action="store_true",
        help="connect standard input and output to the agent at SOCKET, for ssh",
    )
    add("--socket", default=SOCKET, help="the socket for --stdio; default: %(default)s")
    add("--as", dest="caller", metavar="NAME", help="the caller's name, for --stdio")
    return made


def boot_time() -> float:
    """Returns when this machine was started, in seconds since 1970."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


@contextlib.contextmanager
def _audit_file(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            yield file


async def serve(given: argparse.Namespace) -> None:
    """Serves until SIGTERM or SIGINT."""
    url = Url.read(given.url)
    if not wire.NAME.fullmatch(given.host) or given.host in subjects.RESERVED:
        raise ValueError(f"--host: {given.host!r} cannot be a host's name")
    policy = Policy.read(given.policy)
    journal = Journal(given.state / "journal" if given.state else ":memory:")
    with _audit_file(given.audit) as file:
        async with aioxen.Context() as xen:
            agent = Agent(xen, given.host, policy, journal, Audit(given.host, file), boot=boot_time())
            if given.trace:
                from aioxen import opentelemetry

                opentelemetry.install(xen=xen)
                agent.traced = opentelemetry.within
            sequence = Sequence(xen, given.host)
            await recover(agent)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(sequence.follow()),
                    group.create_task(_service(agent, sequence, url, given)),
                ]
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(
                        number, lambda: [task.cancel() for task in tasks]
                    )


async def _service(agent: Agent, sequence: Sequence, url: Url, given: argparse.Namespace) -> None:
    identity = None
    if given.identity:
        from aioxen.fleet.identity import Identity, Verifier

        identity = Identity(given.identity)
        agent.verifier = Verifier(given.identity / "ca.pem")
    agent.passages = Passages(identity)
    async with contextlib.AsyncExitStack() as stack:
        if given.passage:
            stack.callback((await agent.passages.listen(given.passage)).close)
            sequence.passage = given.passage
        await _serve_at(agent, sequence, url, identity)


async def _serve_at(agent: Agent, sequence: Sequence, url: Url, identity: Identity | None) -> None:
    if url.scheme == "unix":
        from aioxen.fleet.serve_stream import StreamService

        await StreamService(agent, sequence, url.path).run(_ready)
        return
    from aioxen.fleet.serve_nats import NatsService

    url.require_encryption(identity is not None)
    await NatsService(agent, sequence, url.broker, identity).run(_ready)


def _ready() -> None:
    from aioxen.cli.notify import notify

    notify("READY=1")


async def bridge(path: str, caller: str) -> None:
    """Connects standard input and output to the agent's socket. First sends the caller's name to the
    agent."""
    from aioxen.fleet.frames import Frame, frame

    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(frame(Frame.NAME, caller.encode()))
    given = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(given), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout.buffer)
    shown = asyncio.StreamWriter(transport, protocol, None, loop)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()

    copies = [asyncio.create_task(copy(given, writer)), asyncio.create_task(copy(reader, shown))]
    await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    for task in copies:
        task.cancel()


def main() -> None:
    """Runs the command."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    given = parser().parse_args()
    try:
        if given.stdio:
            if not given.caller or not wire.NAME.fullmatch(given.caller):
                raise ValueError("--as: the caller's name is missing or wrong")
            asyncio.run(bridge(given.socket, given.caller))
            return
        if not given.url or not given.policy:
            raise ValueError("--url and --policy are needed")
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(serve(given))
    except* (OSError, ValueError, aioxen.Error) as errors:
        sys.exit(f"aioxen-agent: {errors.exceptions[0]}")


if __name__ == "__main__":
    main()
