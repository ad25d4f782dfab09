# SPDX-License-Identifier: LGPL-2.1-or-later
"""The processes of the fleet's tests: a broker, and agents, each in a simulated machine of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import aioxen
from aioxen import fleet
from limits import scaled

ROOT = Path(__file__).resolve().parent.parent.parent
KERNEL = ROOT / "build/guest/tiny"
SIM = ROOT / "sim/aioxen-sim"
SERVER = ROOT / "build/fleet/bin/nats-server"
POLICY = '[[allow]]\ncallers = ["*"]\noperations = ["@admin"]\n'


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def wait_until(ready: Any, what: str) -> None:
    end = time.monotonic() + scaled(10)
    while not ready():
        assert time.monotonic() < end, f"{what} is not ready"
        time.sleep(0.02)


class Broker:
    """A broker of NATS on this machine. `config`: a file of its settings; None: no certificates, one user."""

    def __init__(self, folder: Path, config: Path | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"{'tls' if config else 'nats'}://127.0.0.1:{self.port}"
        self.arguments = ["-a", "127.0.0.1", "-p", str(self.port), "-l", str(folder / "broker.log")]
        self.arguments += ["-c", str(config)] if config else ["-js", "-sd", str(folder / "store")]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([str(SERVER), *self.arguments])
        wait_until(self._answers, "the broker")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Partition:
    """A proxy between the program or an agent and the broker. A test can cut the proxy. While it is cut, it
    forwards no octets, and its connections stay open."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        self.end(reset=True)
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            to_broker = await asyncio.open_connection("127.0.0.1", self.broker.port)
            self._writers |= {writer, to_broker[1]}
            for source, target in ((reader, to_broker[1]), (to_broker[0], writer)):
                task = asyncio.create_task(self._copy(source, target))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                await self._open.wait()
                target.write(data)
                await target.drain()
        target.close()

    def begin(self) -> None:
        self._open.clear()

    def end(self, reset: bool) -> None:
        """Ends the cut. If `reset`, the octets that were not forwarded are lost, and the connections are
        closed."""
        if reset:
            for writer in self._writers:
                writer.transport.abort()
            self._writers.clear()
        self._open.set()


class World:
    """A simulated machine with one agent at a time. The next agent finds the domains of the one before it."""

    def __init__(self, folder: Path, host: str, arguments: list[str]) -> None:
        self.folder = folder
        self.host = host
        self.audit = folder / f"{host}.audit"
        self.policy = folder / f"{host}.policy"
        self.policy.write_text(POLICY)
        state = folder / f"{host}.state"
        state.mkdir(exist_ok=True)
        agent = [sys.executable, "-m", "aioxen.fleet.service", "--host", host, "--policy", str(self.policy)]
        agent += ["--state", str(state), "--audit", str(self.audit), *arguments]
        self.pid_file = folder / f"{host}.pid"
        # The shell is the command of the world. It starts an agent each time it reads a line.
        script = 'while read -r line; do "$@" & echo $! >"$PIDS"; done'
        self.log = (folder / f"{host}.log").open("ab")
        self.process = subprocess.Popen(
            [str(SIM), "--", "sh", "-c", script, "sh", *agent],
            stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
            env={**os.environ, "PIDS": str(self.pid_file)},
        )  # fmt: skip

    def start_agent(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"start\n")
        self.process.stdin.flush()

    def _agents(self) -> list[int]:
        """Returns the process ids of this world's agents. The world has a namespace of process ids."""
        mark = f"\0-m\0aioxen.fleet.service\0--host\0{self.host}\0--policy\0{self.policy}\0".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with contextlib.suppress(OSError):
                    line = (folder / "cmdline").read_bytes()
                    if line.startswith(sys.executable.encode() + mark):
                        found.append(int(folder.name))
        return found

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the agent."""
        for pid in self._agents():
            os.kill(pid, number)

    def kill_agent(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends the agent, and waits until it has ended."""
        self.send(number)
        wait_until(lambda: not any(_alive(pid) for pid in self._agents()), "the end of the agent")

    def audited(self) -> list[dict[str, Any]]:
        text = self.audit.read_text() if self.audit.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.log.close()


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    return False


@contextlib.contextmanager
def worlds(folder: Path, hosts: Iterable[str], url: str, *more: str) -> Iterator[dict[str, World]]:
    """Yields worlds with agents that connect to a broker."""
    made: dict[str, World] = {}
    try:
        for host in hosts:
            made[host] = World(folder, host, ["--url", url.format(host=host), *more])
            made[host].start_agent()
        yield made
    finally:
        for world in made.values():
            world.end()


connect = partial(fleet.connect, patience=scaled(20))
"""Connects to a fleet. The patience is so long that a host does not count as lost when this machine is
busy."""


async def accepted(operation: fleet.RemoteOperation[Any]) -> None:
    """Waits until the host has accepted the operation."""
    while not operation._accepted:
        await asyncio.sleep(0.01)


async def heard(f: fleet.Fleet, host: str, wanted: Callable[[fleet.HostState], bool]) -> None:
    """Waits until a host's heartbeat fulfils the condition."""
    while not wanted(f.hosts[host]):
        f.hosts.changed.clear()
        await f.hosts.changed.wait()


@contextlib.contextmanager
def short_patience(f: fleet.Fleet) -> Iterator[None]:
    """Shortens the time after which a silent host counts as lost. In the block, call only hosts that are
    silent: the heartbeats of other hosts may be late, too, when this machine is busy."""
    before = f._patience
    f._patience = f.hosts._patience = 0.5
    try:
        yield
    finally:
        f._patience = f.hosts._patience = before


def guest(command: str = "b", name: str = "guest") -> aioxen.DomainConfig:
    return aioxen.pv(name, KERNEL, memory="24M", cmdline=command)


def held_guest(folder: Path) -> tuple[aioxen.DomainConfig, Path]:
    """Returns the configuration of a guest whose boot loader makes a file and then waits, so its creation
    cannot end. Also returns the path of the file."""
    loader, started = folder / "loader", folder / "started"
    loader.write_text(f"#!/bin/sh\n: >{started}\nexec sleep 1000\n")
    loader.chmod(0o700)
    (folder / "disk").write_bytes(bytes(1 << 20))
    config = guest()
    config.disks = [aioxen.DeviceDisk(pdev_path=f"{folder}/disk", vdev="xvda", readwrite=1)]
    config.b_info.kernel = None
    config.b_info.bootloader = str(loader)
    return config, started


async def entered(started: Path, creation: fleet.RemoteOperation[Any]) -> None:
    """Waits until the boot loader of the guest has made its file."""
    while not started.exists():
        assert not creation.done()
        await asyncio.sleep(0.01)


async def names(host: Any) -> list[str]:
    """Returns the names of a host's domains, without domain 0 and those that are dying."""
    living = [info.domid for info in await host.domain_list() if info.domid and not info.dying]
    found = await asyncio.gather(*(host.domain_get_name(domid) for domid in living))
    return sorted(found)
