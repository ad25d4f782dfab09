# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Agent, which carries out the requests of clients on this host.

A request passes these checks, in this order: its form, the caller's identity, whether it is known already,
its age, the number of calls in progress, its inputs, and the policy. Then it is written to the journal, and
the operation starts. Only operations of the generated table can be called.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import aioxen
from aioxen._fleet_operations import EVENTS, OPERATIONS
from aioxen._remote import Passage, Remote, RemoteDomain
from aioxen.errors import InvalidError
from aioxen.fleet import wire
from aioxen.fleet.audit import Audit
from aioxen.fleet.identity import IdentityError, Verifier
from aioxen.fleet.journal import Entry, Journal
from aioxen.fleet.passage import Passages
from aioxen.fleet.policy import Policy, fits
from aioxen.fleet.request import Request, id_of
from aioxen.fleet.roles import QUIET
from aioxen.fleet.wire import Reason, State
from aioxen.types import Migration, Suspend

Sink = Callable[[bytes], None]
"""A function that sends a reply to the client. The function never waits. If a reply cannot be sent, it is
dropped, and the client repeats its request."""

MOST_CALLS = 512
"""The greatest number of calls in progress."""

MOST_CALLS_OF_ONE = 256
"""The greatest number of calls of one caller that are in progress."""

MOST_RECENT = 256
MOST_RECENT_OCTETS = 64 << 10

RECEIVE = "domain_receive_stream"
"""The operation of a migration's receiver."""

KINDS = {row.kind: (word, row) for word, row in EVENTS.items()}


class Call:
    """A request that is in progress."""

    __slots__ = ("request", "headers", "sink", "remote", "task", "stopped", "domid", "uuid", "began")

    def __init__(
        self, request: Request, sink: Sink, remote: Remote, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.request: Request = request
        self.headers: Mapping[str, str] = headers
        self.sink: Sink = sink
        self.remote: Remote = remote
        self.task: asyncio.Task[None] | None = None
        self.stopped: bool = False  # The caller has asked to stop it.
        self.domid: int | None = None
        self.uuid: str = ""
        self.began: float = time.monotonic()


class Agent:
    """Carries out requests on one context.

    verifier: Checks signatures. None: the transport identifies the caller, or the request's caller is
    accepted without a check.
    """

    def __init__(
        self,
        xen: aioxen.Context,
        host: str,
        policy: Policy,
        journal: Journal,
        audit: Audit,
        verifier: Verifier | None = None,
        boot: float = 0,
    ) -> None:
        self.xen = xen
        self.host = host
        self.policy = policy
        self.journal = journal
        self.audit = audit
        self.verifier = verifier
        self.boot = boot
        """When the host was started. Older requests are refused."""
        self.passages: Passages = Passages(None)
        self.traced: Callable[[Mapping[str, str]], AbstractContextManager[None]] = _untraced
        """Makes the OpenTelemetry span of a request's headers the current one while the operation is
        started."""
        self.calls: dict[str, Call] = {}
        self._of: Counter[str] = Counter()
        self._recent: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()

    # Accepting

    def accept(
        self,
        message: bytes,
        headers: Mapping[str, str],
        sink: Sink,
        peer: str | None,
        call: str | None = None,
    ) -> None:
        """Takes a message of a client. Does not wait.

        peer: The caller's name, if the transport knows it. call: The call that the broker's rules have
        allowed; None: the transport has no such rules.
        """
        caller = peer or "?"
        try:
            request = Request(message)
            if peer is None and self.verifier is not None:
                caller = self.verifier.caller(message, headers)
            elif peer is None:
                caller = request.caller
            else:
                # The connection has proved this name. It replaces the name in the request.
                request.caller = peer
            if request.caller != caller:
                raise IdentityError(f"the request says that {request.caller} calls")
            if request.host != self.host or (call is not None and request.call != call):
                raise IdentityError("the request is for another host or another call")
        except InvalidError as error:
            return self._refuse(sink, caller, id_of(message), "?", Reason.MALFORMED, error.message)
        except IdentityError as error:
            return self._refuse(sink, caller, id_of(message), call or "?", Reason.IDENTITY, str(error))
        try:
            if request.call in (wire.CANCEL, wire.OUTCOME):
                self._control(request, request.target(), sink)
            else:
                self._begin(request, sink, headers)
        except InvalidError as error:
            self._refuse(sink, caller, request.id, request.call, Reason.MALFORMED, error.message)

    def _refuse(
        self, sink: Sink, caller: str, id: str | None, call: str, reason: Reason, message: str
    ) -> None:
        self.audit.write(caller, call, id, f"refused: {reason.value}", message=message)
        if id is not None:
            sink(refusal(id, reason, message))

    def _known(self, request: Request, sink: Sink) -> bool:
        """If the request has arrived before, answers it and returns True. Otherwise returns False."""
        id, other = request.id, None
        if running := self.calls.get(id):
            if running.request.digest == request.digest:
                running.sink = sink
                sink(reply(id, State.RUNNING))
                return True
            other = True
        elif recent := self._recent.get(id):
            other = recent[0] != request.digest
            if not other:
                sink(recent[1])
        elif entry := self.journal.find(id):
            other = entry.digest not in (request.digest, b"") or entry.caller != request.caller
            if not other:
                sink(entry.reply or reply(id, State.RUNNING))
        if other:
            self._refuse(sink, request.caller, id, request.call, Reason.REUSED, "the id has another request")
        return other is not None

    def _begin(self, request: Request, sink: Sink, headers: Mapping[str, str]) -> None:
        if self._known(request, sink):
            return
        now = time.time()
        remote = OPERATIONS.get(request.call)
        reason, message = None, ""
        if remote is None:
            reason, message = Reason.OPERATION, f"there is no operation {request.call[:40]!r}"
        elif not self.policy.allowed_domains(request.caller, request.call):
            reason = Reason.POLICY
            message = f"{request.caller} may not call {request.call} on {self.host}"
        elif not max(now - wire.WINDOW, self.boot) <= request.issued <= now + wire.SKEW:
            reason, message = Reason.LATE, f"it was issued {now - request.issued:.0f} s ago"
        elif request.timeout is not None and now > request.issued + request.timeout + wire.SKEW:
            reason, message = Reason.LATE, "its time limit is over"
        elif len(self.calls) >= MOST_CALLS or self._of[request.caller] >= MOST_CALLS_OF_ONE:
            reason, message = Reason.OVERLOADED, f"{len(self.calls)} calls are in progress"
        elif request.call not in QUIET and self.journal.full:
            reason, message = Reason.OVERLOADED, "too many calls have ended in the last minutes"
        if reason is not None:
            return self._refuse(sink, request.caller, request.id, request.call, reason, message)
        assert remote is not None
        inputs = remote.decode_inputs(request.inputs)
        call = Call(request, sink, remote, headers)
        self.calls[request.id] = call
        self._of[request.caller] += 1
        call.task = asyncio.create_task(self._run(call, inputs))

    def _control(self, request: Request, of: str, sink: Sink) -> None:
        """Carries out CANCEL and OUTCOME of the request `of`. Only the caller of that request may send
        them."""
        call, entry = self.calls.get(of), self.journal.find(of)
        owner = call.request.caller if call else entry.caller if entry else request.caller
        if owner != request.caller:
            return self._refuse(
                sink, request.caller, of, request.call, Reason.POLICY, "the request is another caller's"
            )
        if call is not None:
            call.sink = sink
            if request.call == wire.CANCEL:
                self.stop(call)
            sink(reply(of, State.RUNNING))
        elif of in self._recent:
            sink(self._recent[of][1])
        elif entry is None and not self.journal.has_room_for_unseen(request.caller):
            text = "too many calls have ended in the last minutes"
            self._refuse(sink, request.caller, of, request.call, Reason.OVERLOADED, text)
        elif entry is None:
            never = refusal(of, Reason.NEVER, "the request has not come")
            if request.call == wire.CANCEL:
                never = reply(of, State.CANCELLED)
            self.journal.begin(Entry(of, request.caller, b"", request.call, None, "", never))
            sink(never)
        elif request.call == wire.CANCEL and (undo := self._undo_of(entry)):
            undoing = Call(request, sink, OPERATIONS[entry.operation])
            self.calls[of] = undoing
            self._of[request.caller] += 1
            undoing.task = asyncio.create_task(self._undo(undoing, entry, *undo))
        else:
            sink(entry.reply or reply(of, State.RUNNING))

    def stop(self, call: Call) -> None:
        """Asks a call to stop. Its last reply follows when it has stopped."""
        if not call.stopped and call.task is not None:
            call.stopped = True
            call.task.cancel()

    # Carrying out

    async def _run(self, call: Call, inputs: dict[str, Any]) -> None:
        request, last = call.request, b""
        recorded = False
        try:
            refused = await self._refused_by_policy(call, inputs)
            if refused:
                last = refusal(request.id, Reason.POLICY, refused)
                return
            if request.call not in QUIET:
                begun = request.id, request.caller, request.digest, request.call, call.domid, call.uuid, None
                self.journal.begin(Entry(*begun, paused=int(inputs.get("paused") or 0)))
                recorded = True
            if call.remote.waits:
                call.sink(reply(request.id, State.RUNNING))
            with self.traced(call.headers):
                result = await self._operation(call, inputs)
            last = reply(request.id, State.DONE, result=call.remote.encode_result(result))
            if len(last) > wire.MOST_REPLY:
                raise InvalidError(f"the result has {len(last)} octets, more than {wire.MOST_REPLY}")
        except asyncio.CancelledError:
            if not call.stopped:  # The agent is ending.
                closed = aioxen.ClosedError.rc
                last = reply(request.id, State.ERROR, rc=closed, message="the agent was stopped", domid=None)
                raise
            last = reply(request.id, State.CANCELLED)
        except aioxen.Error as error:
            last = reply(request.id, State.ERROR, rc=error.rc, message=error.message, domid=error.domid)
        except Exception as error:
            last = reply(
                request.id, State.ERROR, rc=None, message=f"{type(error).__name__}: {error}", domid=None
            )
        finally:
            self._end(call, last, recorded)

    def _operation(self, call: Call, inputs: dict[str, Any]) -> Any:
        """Starts the operation, and returns it."""
        given = dict(inputs)
        request, timeout = call.request, call.request.timeout
        if timeout is not None:
            timeout = max(0.001, min(timeout, request.issued + timeout + wire.SKEW - time.time()))
        if call.remote.waits and request.progress:
            given["progress"] = lambda event: self._progress(call, event)
        if passage := given.pop("passage", None):
            return self._move(call, given, passage, timeout)
        return getattr(self.xen, request.call)(**given, timeout=timeout)

    async def _move(
        self, call: Call, given: dict[str, Any], passage: Passage, limit: float | None
    ) -> aioxen.Domain | None:
        """Sends or receives a guest, as one of the two agents of a migration."""
        progress = given.get("progress")
        if call.request.call == RECEIVE:
            async with self.passages.received(passage) as streams:
                return await self.xen.receive(
                    streams,
                    paused=bool(given.get("paused", 0)),
                    allowed=self.policy.received,
                    timeout=limit,
                    progress=progress,
                )
        async with self.passages.sent(passage) as streams:
            live = Suspend.LIVE in Suspend(given.get("flags", Suspend.LIVE))
            policy = given.get("policy")
            dom: aioxen.Domain = given["domid"]
            unannounced = Migration.UNANNOUNCED in Migration(given.get("options", 0))
            await dom.migrate(
                streams,
                live=live,
                policy=policy,
                ask=True,
                unannounced=unannounced,
                timeout=limit,
                progress=progress,
            )
        return None

    def _progress(self, call: Call, event: aioxen.Event) -> None:
        if type(event) in KINDS:
            word, row = KINDS[type(event)]
            call.sink(reply(call.request.id, State.PROGRESS, kind=word, event=row.encode(event)))

    def _end(self, call: Call, last: bytes, recorded: bool) -> None:
        request, ended = call.request, wire.loads(last, 1 << 62)
        id = ended["id"]
        self.calls.pop(id, None)
        self._of[request.caller] -= 1
        if not self._of[request.caller]:
            del self._of[request.caller]
        if recorded:
            self.journal.end(id, last)
        elif request.call in QUIET and len(last) <= MOST_RECENT_OCTETS:
            self._recent[id] = request.digest, last
            if len(self._recent) > MOST_RECENT:
                self._recent.popitem(last=False)
        outcome = ended["state"] + (f": {ended['reason']}" if "reason" in ended else "")
        if request.call in ("domain_create", "domain_restore", RECEIVE) and ended["state"] == "done":
            call.domid = _domid_of(ended["result"][0])
        seconds = round(time.monotonic() - call.began, 3)
        about = {"domid": call.domid, "uuid": call.uuid or None, "message": ended.get("message")}
        self.audit.write(request.caller, request.call, id, outcome, seconds=seconds, **about)
        call.sink(last)

    async def _refused_by_policy(self, call: Call, inputs: dict[str, Any]) -> str:
        """Returns why the policy refuses the call, or "". Replaces the domid in the inputs by a handle. If
        the domain's name is checked, the handle has the UUID, so that the operation works on this domain."""
        request, config, xen = call.request, inputs.get("d_config"), self.xen
        patterns = self.policy.allowed_domains(request.caller, request.call)
        dom: aioxen.Domain | None = None
        if isinstance(given := inputs.get("domid"), RemoteDomain):
            named = bool(given._uuid_bytes) or "*" in patterns
            dom = xen.domain_class(xen, given.domid, given._uuid_bytes) if named else xen._domain(given.domid)
            inputs["domid"] = dom
            call.domid, call.uuid = dom.domid, str(dom.uuid) if dom._uuid_bytes else ""
        if request.call == RECEIVE:
            call.uuid = str(inputs["passage"].uuid)
            if any(info.uuid == inputs["passage"].uuid for info in await xen.domain_list()):
                raise aioxen.DomainExistsError(f"the domain {call.uuid} is on {self.host} already")
        if request.call == "domain_create" and isinstance(config, aioxen.DomainConfig):
            config.c_info.uuid = config.c_info.uuid or uuid4()
            call.uuid = str(config.c_info.uuid)
        if "*" in patterns:
            return ""
        names: list[str | None] = [inputs.get("name")] if "name" in inputs else []
        if dom is not None:
            names.append(await xen.domain_get_name(dom))
        if config is not None:
            names.append(config.c_info.name)
        if names and all(name is not None and fits(name, patterns) for name in names):
            return ""
        return f"{request.caller} may call {request.call} on {self.host} only for {', '.join(patterns)}"

    # Undoing a call whose result the caller has not taken

    def _undo_of(self, entry: Entry) -> tuple[str, RemoteDomain] | None:
        """Returns the operation that undoes a successful request, and the input of that operation. None:
        nothing undoes the request."""
        remote = OPERATIONS.get(entry.operation)
        if remote is None or not remote.undo or entry.reply is None:
            return None
        ended = wire.loads(entry.reply, wire.MOST_REPLY)
        return (remote.undo, remote.decode_result(ended["result"])) if ended["state"] == "done" else None

    async def _undo(self, call: Call, entry: Entry, undo: str, made: RemoteDomain) -> None:
        last = reply(entry.id, State.CANCELLED)
        try:
            dom = self.xen.domain_class(self.xen, made.domid, made._uuid_bytes)
            with contextlib.suppress(aioxen.DomainNotFoundError, aioxen.DomainGoneError):
                await getattr(self.xen, undo)(dom)
        except aioxen.Error as error:
            last = reply(entry.id, State.ERROR, rc=error.rc, message=error.message, domid=error.domid)
        finally:
            self._end(call, last, True)

    # Ending

    async def aclose(self) -> None:
        """Stops all calls, and waits until they have ended. Each caller gets a last reply."""
        tasks = [call.task for call in self.calls.values() if call.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _untraced(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


def _domid_of(result: Any) -> int | None:
    """Returns the domid in the JSON form of a domain."""
    domid = result.get("domid") if isinstance(result, dict) else result
    return domid if isinstance(domid, int) else None


def reply(id: str, state: State, **more: Any) -> bytes:
    """Returns a reply."""
    return wire.dumps({"id": id, "state": state.value, **more})


def refusal(id: str, reason: Reason, message: str) -> bytes:
    """Returns the reply to a request that is refused."""
    return reply(id, State.REFUSED, reason=reason.value, message=message)
