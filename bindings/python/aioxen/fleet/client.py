# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Fleet, the connection of a program to the agents of many hosts.

A request stays pending until its last reply. The client repeats a request, with the same id, as long as the
host may have missed it. The host answers a request that it knows without carrying it out again. So no
operation is lost or done twice if a broker is killed or an agent is started again. A host that sends no
heartbeat for `patience` seconds is lost: its pending operations raise UnknownOutcomeError.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from aioxen.errors import InvalidError
from aioxen.fleet import wire
from aioxen.fleet.errors import HostNotFoundError, NotAllowedError, UnknownOutcomeError
from aioxen.fleet.events import MOST_EVENT, FleetEvents
from aioxen.fleet.host import Host
from aioxen.fleet.hosts import Hosts, read_beat
from aioxen.fleet.link import Link, Receiver
from aioxen.fleet.operation import RemoteOperation
from aioxen.fleet.select import Outcome, Target, targets
from aioxen.fleet.url import Url
from aioxen.hooks import headers_of

if TYPE_CHECKING:
    from aioxen._spec import Progress
    from aioxen.fleet.domain import Domain
    from aioxen.types import OperationProgress, SavePolicy

log: logging.Logger = logging.getLogger("aioxen.fleet")

T = TypeVar("T")

TICK = 0.25
FIRST_AGAIN = 1.0
"""The time after which a request without a reply is sent again, in seconds."""
LATER_AGAIN = 5.0
"""The time after which a request that is in progress is sent again, in seconds, because its last reply may
have been lost."""


class Fleet(Receiver):
    """The hosts of a fleet, made by connect(). `f["host7"]` is a host, and its methods are the operations."""

    def __init__(self, link: Link, patience: float) -> None:
        self._link = link
        self._patience = patience
        self._hosts: dict[str, Host] = {}
        self._pending: dict[str, RemoteOperation[Any]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._subscriptions: list[FleetEvents] = []
        self._sign: Callable[[bytes], Mapping[str, str]] = lambda message: {}
        self.hosts: Hosts = Hosts(patience)
        """The hosts that have sent a heartbeat, by name."""

    @property
    def name(self) -> str:
        """The name of this program in its requests. Without a broker, a host may replace it by the name of
        the user who has connected."""
        return self._link.name

    def __getitem__(self, name: str) -> Host:
        """Returns a host. The host need not have sent a heartbeat."""
        if name not in self._hosts:
            if not wire.NAME.fullmatch(name):
                raise KeyError(name)
            self._hosts[name] = Host(self, name)
        return self._hosts[name]

    async def wait_for(self, *names: str, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Waits until these hosts are up. Raises TimeoutError."""

        def up(name: str) -> bool:
            return name in self.hosts and self.hosts[name].state == "up"

        async with asyncio.timeout(timeout):
            await self._until(lambda: all(up(name) for name in names))

    async def _until(self, reached: Callable[[], bool]) -> None:
        """Waits until the condition is true. It is checked after each heartbeat."""
        while not reached():
            self.hosts.changed.clear()
            await self.hosts.changed.wait()

    async def settle(self, most: float = 5.0) -> None:
        """Waits for a heartbeat of each host that has sent a heartbeat to the broker in the last 10 s. Waits
        for at most `most` seconds. A pattern in a selector matches only hosts whose heartbeat has come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                if (present := await self._link.present()) is not None:
                    names = set(present)
                    await self._until(lambda: names <= self.hosts.keys())
                else:  # Each host sends a heartbeat every second.
                    await asyncio.sleep(1.5)

    async def audit(self, since: str | None = None) -> AsyncIterator[bytes]:
        """Yields the lines of the audit log of all hosts, as the broker keeps them. Each is an object in JSON
        with `time`, `host`, `caller`, `call`, `id`, `outcome` and, if known, `domid`, `uuid`, `message` and
        `seconds`.

        since: As for subscribe().

        Raises: ConnectionError, if the broker does not let this client read it.
        """
        lines: asyncio.Queue[bytes] = asyncio.Queue()

        def put(host: str, position: str | None, line: bytes) -> None:
            try:
                named = wire.loads(line, MOST_EVENT).get("host")
            except InvalidError as error:
                return log.warning("%s sends a line that cannot be read: %s", host, error.message)
            if named != host:
                return log.warning("%s sends a line of the audit log in the name of %r", host, named)
            lines.put_nowait(line)

        source = await self._link.events(since, put, True)
        try:
            while True:
                yield await lines.get()
        finally:
            await source.aclose()

    @asynccontextmanager
    async def _events(self, since: str | None, capacity: int) -> AsyncIterator[FleetEvents]:
        found = await self.subscribe(since, capacity=capacity)
        try:
            yield found
        finally:
            await found.aclose()

    async def subscribe(self, since: str | None = None, *, capacity: int = 65536) -> FleetEvents:
        """Subscribes to the lifecycle and device events of all hosts. The subscription begins when this
        method returns.

        since: None: new events only. "all": all events that the broker keeps. A position of an earlier
        FleetEvents: the events after it.

        capacity: The greatest number of events that wait to be read. Further events are lost, and the
        iteration yields their number.

        Raises: ConnectionError, if the broker keeps no events and `since` is not None; ValueError.
        """
        events = FleetEvents(capacity, self._subscriptions)
        events._open(await self._link.events(since, events._put, False))
        return events

    async def events(self, since: str | None = None, *, capacity: int = 65536) -> AsyncIterator[Any]:
        """Yields the events of all hosts: `async for e in f.events():`. The arguments are those of
        subscribe()."""
        async with self._events(since, capacity) as found:
            async for event in found:
                yield event

    async def map(
        self,
        operation: str | Callable[[Any], Awaitable[Any]],
        selector: str,
        *arguments: Any,
        width: int = 64,
        **options: Any,
    ) -> dict[str, Outcome]:
        """Calls an operation on many hosts or domains at the same time. Returns the outcome of each, by name.

        operation: The name of a method of Host or Domain; or a function of a Host or Domain.

        selector: Patterns, separated by commas: "web-*" are hosts, "web-*/db-*" domains of hosts. A domain is
        named by its name, domid or UUID; "*/*" is every domain except domain 0.

        width: How many calls are in progress at the same time.

        If a host fails, this method raises nothing: the host's outcome has the error. A cancellation stops
        all calls.
        """
        if width < 1:
            raise ValueError(f"width: {width} is less than 1")
        slots = asyncio.Semaphore(width)

        async def one(target: Target) -> Outcome:
            async with slots:
                try:
                    subject = await target.find()
                    call = getattr(subject, operation) if isinstance(operation, str) else operation
                    given = arguments if isinstance(operation, str) else (subject, *arguments)
                    return Outcome(await call(*given, **options), None)
                except Exception as error:
                    return Outcome(None, error)

        found = await targets(self, selector)
        async with asyncio.TaskGroup() as group:
            tasks = {target.name: group.create_task(one(target)) for target in found}
        return {name: task.result() for name, task in tasks.items()}

    async def migrate(
        self,
        domain: Domain,
        host: Host | str,
        *,
        live: bool = True,
        policy: SavePolicy | None = None,
        unannounced: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Progress[OperationProgress] | None = None,
    ) -> Domain:
        """Moves a running guest to another host, and returns the domain there. The disks are not copied.

        The agents of the two hosts are connected to each other, so the guest's memory does not go through the
        broker. The receiving agent needs the option --passage.

        live, policy, unannounced, timeout, progress: As for aioxen.Domain.migrate(). The new host is asked
        before anything of the guest is sent (the option `ask` there).

        Raises: FleetError, if the host receives no guests. The errors of the two operations; the guest then
        runs on its old host. UnknownOutcomeError, if it is not known yet on which host the guest runs. The
        exception's resolve() waits until both hosts have answered, destroys the domain on the host where the
        guest does not run, and returns the domain, or raises the error.

        Cancelled: The guest runs on its old host, unless the other host has already been told to run the
        guest.
        """
        from aioxen.fleet.migration import Migration

        target = self[host] if isinstance(host, str) else host
        return await Migration(self, domain, target).run(live, policy, unannounced, timeout, progress)

    # Sending

    def _start(
        self, host: Host, name: str, inputs: dict[str, Any], timeout: float | None, progress: Any
    ) -> RemoteOperation[Any]:
        operation: RemoteOperation[Any] = RemoteOperation(
            host, name, wire.new_id(), inputs, timeout, progress
        )
        self._write(operation, name, operation.id, inputs, headers_of(operation))
        self._pending[operation.id] = operation
        self._send(operation)
        return operation

    def _write(
        self,
        operation: RemoteOperation[Any],
        call: str,
        id: str,
        inputs: dict[str, Any],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Makes the message of an operation. Later repetitions send the same message."""
        message = wire.dumps(
            {
                "v": wire.VERSION,
                "id": id,
                "caller": self.name,
                "host": operation.host.name,
                "call": call,
                "issued": time.time(),
                "timeout": operation._timeout,
                "progress": operation._progress is not None,
                "inputs": inputs,
            }
        )
        if len(message) > wire.MOST_REQUEST:
            raise InvalidError(f"the request has {len(message)} octets, more than {wire.MOST_REQUEST}")
        operation._message = call, message, {**headers, **self._sign(message)}
        operation._accepted = False

    def _send(self, operation: RemoteOperation[Any]) -> None:
        assert operation._message is not None
        call, message, headers = operation._message
        operation._sent += 1
        operation._next = time.monotonic() + (LATER_AGAIN if operation._accepted else FIRST_AGAIN)
        self._link.send(operation.host.name, call, operation.id, message, headers)

    def _control(self, operation: RemoteOperation[Any], call: str) -> None:
        self._write(operation, call, wire.new_id(), {"of": operation.id})
        # The host may know the request, so an absent agent does not prove that nothing was done. The
        # additional count keeps _absent below _sent.
        operation._sent += 1
        self._send(operation)

    def _stop(self, operation: RemoteOperation[Any]) -> None:
        self._control(operation, wire.CANCEL)

    def _forget(self, operation: RemoteOperation[Any]) -> None:
        if self._pending.get(operation.id) is operation:
            del self._pending[operation.id]

    def _observe(self, lost: RemoteOperation[Any]) -> RemoteOperation[Any]:
        """Asks for the outcome of a request until the host answers."""
        operation: RemoteOperation[Any] = RemoteOperation(lost.host, lost.name, lost.id, {}, None, None)
        operation._observes = True
        self._pending[lost.id] = operation
        self._control(operation, wire.CANCEL if lost._stopping else wire.OUTCOME)
        return operation

    async def _resolve(self, lost: RemoteOperation[Any], timeout: float | None) -> Any:  # noqa: ASYNC109
        async with asyncio.timeout(timeout):
            return await self._observe(lost)

    async def _watch(self) -> None:
        """Sends requests again whose messages may have been lost. Gives up the operations on lost hosts."""
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            for operation in list(self._pending.values()):
                known = self.hosts.get(operation.host.name)
                heard = max(known.heard if known else 0, operation._began)
                if now - heard > self._patience and not operation._observes:
                    self._lose(operation)
                elif now >= operation._next:
                    self._send(operation)

    def _lose(self, operation: RemoteOperation[Any]) -> None:
        """Ends an operation whose host is lost. If none of the operation's messages was delivered, nothing
        was done."""
        if operation._absent == operation._sent:
            error = HostNotFoundError(operation.host.name, "no agent serves this host", operation.name)
            return operation._finish(None, error)
        if operation._observes:
            return

        async def resolve(timeout: float | None) -> Any:  # noqa: ASYNC109
            return await self._resolve(operation, timeout)

        unknown = UnknownOutcomeError(operation.host.name, operation.name, operation.id, resolve)
        operation._finish(None, unknown)

    # Receiving

    def on_reply(self, host: str, message: bytes) -> None:
        try:
            given = wire.loads(message, wire.MOST_REPLY)
            operation = self._pending.get(wire.member(given, "id", str))
            if operation is not None and operation.host.name == host:
                operation._take(given)
        except (InvalidError, ValueError) as error:
            log.warning("%s sends a reply that cannot be read: %s", host, error)

    def on_beat(self, host: str, message: bytes) -> None:
        try:
            beat = read_beat(message)
            if beat.host.name != host:
                raise InvalidError(f"{host} sends it in the name of {beat.host.name}")
        except InvalidError as error:
            return log.warning("a heartbeat that cannot be read: %s", error.message)
        before = self.hosts.put(beat.host)
        if beat.host.name not in self.hosts:
            return
        for events in self._subscriptions:
            events._on_beat(beat.host.name, beat.host.epoch, beat.number)
        if before is not None and (before.epoch, before.link) != (beat.host.epoch, beat.host.link):
            self._again(beat.host.name)

    def on_absent(self, host: str, id: str) -> None:
        operation = self._pending.get(id)
        if operation is None or operation.host.name != host:
            return
        operation._absent += 1
        known = self.hosts.get(host)
        if operation._absent == operation._sent and (known is None or known.state == "stopped"):
            self._lose(operation)
        else:  # The agent's connection may come back.
            operation._next = min(operation._next, time.monotonic() + TICK)

    def on_forbidden(self, host: str, call: str) -> None:
        for operation in list(self._pending.values()):
            message = operation._message
            if operation.host.name == host and message is not None and message[0] == call:
                if operation._accepted and not operation._observes:
                    continue
                text = f"the broker does not allow {self.name} to call {call} on {host}"
                operation._finish(None, NotAllowedError(host, text, operation.name))

    def on_connected(self) -> None:
        self._again(None)

    def _again(self, host: str | None) -> None:
        """Makes _watch() send the pending requests of a host again. None: the requests of all hosts."""
        for operation in self._pending.values():
            if host is None or operation.host.name == host:
                operation._next = 0.0


@asynccontextmanager
async def connect(
    url: str, *, identity: str | Path | None = None, name: str = "", patience: float = 10.0
) -> AsyncIterator[Fleet]:
    """Connects to a fleet: `async with fleet.connect("tls://broker") as f:`.

    url: tls://BROKER[:PORT]; nats://127.0.0.1[:PORT], without encryption, for tests;
    unix:///PATH[,/PATH...], the sockets of agents; ssh://[USER@]HOST[:PORT][,...].

    identity: The directory with the certificates ca.pem, cert.pem and key.pem. None: the directory in the
    environment variable AIOXEN_FLEET_IDENTITY.

    name: The caller's name if there is no certificate. Empty: the name of the user.

    patience: The number of seconds without a heartbeat after which a host is lost.

    Operations that are in progress at the end of the block are not stopped on their hosts.

    Raises: ConnectionError, PermissionError, ValueError; OSError for the certificates.
    """
    parsed, found = Url.read(url), identity or os.environ.get("AIOXEN_FLEET_IDENTITY")
    link: Link
    sign: Callable[[bytes], Mapping[str, str]] | None = None
    if parsed.scheme in ("unix", "ssh"):
        from aioxen.fleet.link_stream import StreamLink

        link = StreamLink(parsed, name)
    else:
        from aioxen.fleet.link_nats import NatsLink

        certificates = None
        if found is not None:
            from aioxen.fleet.identity import Identity

            certificates = Identity(found)
            sign = certificates.sign
        link = NatsLink(parsed, certificates, name or getpass.getuser())
    made = Fleet(link, patience)
    if sign is not None:
        made._sign = sign
    await link.open(made)
    made._watcher = asyncio.create_task(made._watch())
    try:
        yield made
    finally:
        made._watcher.cancel()
        for events in list(made._subscriptions):
            await events.aclose()
        for operation in list(made._pending.values()):
            operation._finish(None, ConnectionError("the connection to the fleet is closed"))
            operation.exception()
        await link.aclose()
