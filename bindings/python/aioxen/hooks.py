# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks: functions of the program that are called when an operation starts, enters a phase, ends or fails.

class Slow(aioxen.hooks.Hook):
    def end(self, op):
        if op.seconds > 5:
            print(f"{op.name} of domain {op.domid} took {op.seconds:.1f} s, and ended in phase {op.phase}")

aioxen.hooks.add(Slow())

Hooks are called in the loop's thread. Without hooks, operations have no extra cost. If a hook raises
an exception, the exception goes to the loop's exception handler, and the operation continues.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias
from uuid import UUID

from aioxen import _values as v
from aioxen._core import set_observer
from aioxen._native import ffi, lib
from aioxen.types import OperationProgress, OperationState

if TYPE_CHECKING:
    import asyncio

    from aioxen.context import Context
    from aioxen.operation import Operation

__all__ = ["Hook", "HostName", "ObservedOperation", "Outcome", "Phase", "Request", "add", "remove"]

Outcome: TypeAlias = Literal["success", "error", "cancelled"]
"""How an operation has ended. A time limit that was reached is an error, TimedOutError. "cancelled" includes
the end of operations that aclose() has stopped."""

SECRET = frozenset({"passwd", "password", "value"})
"""The names of inputs, and of fields of inputs, that ObservedOperation.inputs leaves out."""

NO_DOMID = 0xFFFFFFFF


class HostName(Protocol):
    """A host of a fleet."""

    @property
    def name(self) -> str: ...


class Request(Protocol):
    """An operation on a host of a fleet. aioxen.fleet.RemoteOperation has these members. The protocol keeps
    this module independent of the fleet's client."""

    @property
    def name(self) -> str: ...

    @property
    def host(self) -> HostName: ...

    def get_loop(self) -> asyncio.AbstractEventLoop: ...

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None: ...

    def cancelled(self) -> bool: ...

    def exception(self) -> BaseException | None: ...


class Phase:
    """One phase that an operation has entered, or that it has begun to undo."""

    __slots__ = ("name", "started_ns", "undo")

    def __init__(self, name: str, started_ns: int, undo: bool) -> None:
        self.name: str = name
        self.started_ns: int = started_ns
        """When the phase began, as time.monotonic_ns() counts."""
        self.undo: bool = undo
        """Whether the phase is undone."""

    def __repr__(self) -> str:
        return f"<Phase {'undo of ' * self.undo}{self.name}>"


class ObservedOperation:
    """One operation, as hooks see it. The same object is passed to all calls for the operation.

    All times are as time.monotonic_ns() counts.
    """

    __slots__ = (
        "xen",
        "name",
        "instant",
        "domid",
        "uuid",
        "inputs",
        "started_ns",
        "ended_ns",
        "phases",
        "outcome",
        "error",
        "data",
    )

    def __init__(self, xen: Context, name: str, instant: bool, domid: int | None, uuid: UUID | None) -> None:
        self.xen: Context = xen
        """The context on which the operation runs."""
        self.name: str = name
        """The operation's name, which is the name of the method of Context."""
        self.instant: bool = instant
        """Whether the operation completes in the call that starts it. Such an operation has no phases."""
        self.domid: int | None = domid
        """The domid, or None if the operation concerns no domain. The domid of a new domain is known from
        the phase in which the domain is made."""
        self.uuid: UUID | None = uuid
        """The domain's UUID, or None as long as it is unknown."""
        self.inputs: dict[str, Any] = {}
        """The inputs besides the domain: numbers and texts, and for a struct a dictionary of its fields that
        are numbers or texts. Empty fields and secret fields, such as passwords, are left out."""
        self.started_ns: int = time.monotonic_ns()
        """When the operation was started."""
        self.ended_ns: int | None = None
        """When the operation ended, or None."""
        self.phases: list[Phase] = []
        """The phases that were entered or undone, in order."""
        self.outcome: Outcome | None = None
        """How the operation has ended, or None."""
        self.error: BaseException | None = None
        """The exception that the operation raises, or None."""
        self.data: dict[Hook, Any] = {}
        """A place where each hook can keep what it knows about the operation."""

    @property
    def phase(self) -> str:
        """The name of the present or last phase; empty if there is none."""
        return self.phases[-1].name if self.phases else ""

    @property
    def seconds(self) -> float:
        """The time from the start to the end, or to now if the operation has not ended."""
        return ((self.ended_ns or time.monotonic_ns()) - self.started_ns) / 1e9

    def __repr__(self) -> str:
        about = "" if self.domid is None else f" domid={self.domid}"
        return f"<ObservedOperation {self.name}{about} {self.outcome or self.phase or 'running'}>"


class Hook:
    """The base class of hooks. A subclass overrides the methods that it needs. No method may wait."""

    def start(self, op: ObservedOperation) -> None:
        """The operation is about to start. This is called by the task that has called the method."""

    def phase(self, op: ObservedOperation, phase: Phase) -> None:
        """The operation has entered a phase, or has begun to undo it. This may be called later than the
        phase began, so use `phase.started_ns`."""

    def error(self, op: ObservedOperation, error: BaseException) -> None:
        """The operation has failed. end() is called next. A cancelled operation has not failed."""

    def end(self, op: ObservedOperation) -> None:
        """The operation has ended, with any outcome. The tasks that await it have not continued yet."""

    def request(self, op: Request, headers: dict[str, str]) -> None:
        """Called before an operation on a host of a fleet is sent. The hook may add headers. NATS carries
        them to the host's agent; a connection without a broker does not. The agent's process calls the other
        methods for this operation."""


_hooks: tuple[tuple[Hook, Context | None], ...] = ()
_keeping: weakref.WeakSet[Context] = weakref.WeakSet()  # The contexts whose operations keep their phases.


def add(hook: Hook, xen: Context | None = None) -> None:
    """Calls the hook's methods for the operations that are started from now on.

    xen: The context whose operations are observed. None: the operations of all contexts, including contexts
    that are created later.
    """
    if not isinstance(hook, Hook):
        raise TypeError(f"hook: a Hook is expected, not {hook!r}")
    global _hooks
    _hooks = (*_hooks, (hook, xen))
    set_observer(_observe)


def remove(hook: Hook) -> None:
    """Ends the calls of a hook. Operations that have started still report their phases and their end.

    Does nothing if the hook was not added.
    """
    global _hooks
    _hooks = tuple([one for one in _hooks if one[0] is not hook])
    if _hooks:
        return
    set_observer(None)
    for xen in list(_keeping):
        if not xen.closed:
            lib.libxl_ctx_keep_phases(xen._c, False)
    _keeping.clear()


def headers_of(op: Request) -> dict[str, str]:
    """Returns the headers that the hooks add to the request of an operation on a host of a fleet."""
    headers: dict[str, str] = {}
    for hook, only in _hooks:
        try:
            if only is None:
                hook.request(op, headers)
        except Exception as error:
            message = f"the hook {hook.request.__qualname__} failed for {op!r}"
            op.get_loop().call_exception_handler({"message": message, "exception": error})
    return headers


class _Observation:
    """Calls the hooks for one operation."""

    __slots__ = ("op", "hooks", "token", "steps")

    def __init__(self, op: ObservedOperation, hooks: list[Hook]) -> None:
        self.op: ObservedOperation = op
        self.hooks: list[Hook] = hooks
        self.token: int | None = None
        self.steps: list[Callable[[], None]] | None = None  # The calls of error() and end() still to make.

    def call(self, method: Callable[..., None], *arguments: Any) -> None:
        try:
            method(*arguments)
        except Exception as error:
            message = f"the hook {method.__qualname__} failed for {self.op!r}"
            loop = self.op.xen._loop or asyncio.get_running_loop()
            loop.call_exception_handler({"message": message, "exception": error})

    def start(self) -> None:
        try:
            for hook in self.hooks:
                self.call(hook.start, self.op)
        except BaseException as error:  # An interrupt. The operation does not start.
            self.finish("cancelled", error)
            self.ended_steps()
            raise

    def in_progress(self, operation: Operation[Any]) -> None:
        xen = self.op.xen
        self.token = next(xen._tokens)
        xen._progress_callbacks[self.token] = self.progress
        operation._set_progress(self.token)

    def progress(self, event: object) -> None:
        if not isinstance(event, OperationProgress):
            return
        op = self.op
        if event.domid != NO_DOMID:
            op.domid = event.domid
        if event.uuid.int:
            op.uuid = event.uuid
        undo, last = event.state is OperationState.UNDOING, op.phases[-1] if op.phases else None
        # An operation without phases reports an empty name. A phase that makes progress reports its name
        # several times.
        if not event.phase or (last and (last.name, last.undo) == (event.phase, undo)):
            return
        op.phases.append(Phase(event.phase, event.time_ns, undo))
        for hook in self.hooks:
            self.call(hook.phase, op, op.phases[-1])

    def ended(self, operation: Operation[Any]) -> None:
        """Called when the C operation has completed. After an interrupt, the caller may repeat the call."""
        if not operation.done() and getattr(operation, "_undo", None) is not None:
            operation.add_done_callback(self.ended)  # A cancelled operation ends with its undo.
            return
        if self.op.outcome is None:
            if not operation.done() or operation.cancelled():
                self.finish("cancelled", None)
            elif operation._stop_reason is not None and operation._exception is not None:
                self.finish("cancelled", operation._exception)
            elif error := operation._exception or getattr(operation, "failure", None):
                self.finish("error", error)  # The attribute `failure` is that of an Undo.
            else:
                self.note_result(operation._result)
                self.finish("success", None)
        self.ended_steps()

    def note_result(self, result: object) -> None:
        domid, uuid = getattr(result, "domid", None), getattr(result, "uuid", None)
        if self.op.domid is None and isinstance(domid, int) and isinstance(uuid, UUID):
            self.op.domid, self.op.uuid = domid, uuid

    def finish(self, outcome: Outcome, error: BaseException | None) -> None:
        op = self.op
        if self.token is not None:
            op.xen._progress_callbacks.pop(self.token, None)
        op.ended_ns, op.outcome, op.error = time.monotonic_ns(), outcome, error
        self.steps = []
        for hook in reversed(self.hooks):
            self.steps.append(lambda hook=hook: self.call(hook.end, op))  # type: ignore[misc]
            if outcome == "error":
                self.steps.append(lambda hook=hook: self.call(hook.error, op, error))  # type: ignore[misc]

    def ended_steps(self) -> None:
        while self.steps:
            self.steps.pop()()


class Both:
    """A receiver of progress events for an operation that is observed, and that the program has given a
    receiver, too."""

    __slots__ = ("observation", "receiver")

    def __init__(self, observation: _Observation, receiver: Callable[[Any], None]) -> None:
        self.observation: _Observation = observation
        self.receiver: Callable[[Any], None] = receiver

    def __call__(self, event: Any) -> None:
        self.observation.progress(event)
        self.receiver(event)

    def __repr__(self) -> str:
        return repr(self.receiver)


def _observe(operation: Operation[Any], uuid: bytes | None) -> _Observation | None:
    """Is called before each operation starts. Returns what _live calls for this operation, or None."""
    xen = operation._xen
    hooks = [hook for hook, only in _hooks if only is None or only is xen]
    if not hooks:
        return None
    spec, inputs = operation._spec, operation._inputs
    op = ObservedOperation(
        xen, spec.name, spec.instant, spec.domid_of(inputs), v.uuid_of(uuid) if uuid else None
    )
    op.inputs = {
        name: shown
        for i, (name, value) in enumerate(zip(spec.input_names, inputs, strict=False))
        if i != spec.domid and name not in SECRET and (shown := _shown(value)) is not None
    }
    if xen not in _keeping:
        _keeping.add(xen)
        lib.libxl_ctx_keep_phases(xen._c, True)
    observation = _Observation(op, hooks)
    observation.start()
    return observation


# Inputs


def _shown(value: Any) -> Any:
    """Converts an input of a C function to what hooks see. Returns None for an input that is left out."""
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], bytes) and len(value[0]) == 16:
        return str(v.uuid_of(value[0]))
    is_c: bool = isinstance(value, ffi.CData)
    pointer: v.CType = ffi.typeof(value) if is_c and value else None
    if pointer and pointer.kind == "pointer" and pointer.item.kind == "struct" and pointer.item.fields:
        return _fields(value[0], pointer.item)
    return None


def _fields(c: v.CData, kind: v.CType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in kind.fields:
        if name in SECRET:
            continue
        value = getattr(c, name)
        if name == "c_info":
            found |= _fields(value, field.type)
        elif field.type.kind == "primitive" and value:
            found[name] = int(value)
        elif field.type.kind == "pointer" and field.type.item.cname == "char" and value:
            found[name] = v.get_string(value)
    return found
