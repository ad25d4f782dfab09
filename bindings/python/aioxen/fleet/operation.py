# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class RemoteOperation, the future of an operation on another host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from aioxen import errors
from aioxen._base import error_of
from aioxen._coroutine import CoroutineMethods, until_done, wait_uncancelled
from aioxen._fleet_operations import EVENTS, OPERATIONS
from aioxen.fleet import wire
from aioxen.fleet.errors import (
    FleetError,
    InterruptedError,
    NotAllowedError,
    NotDoneError,
    OverloadedError,
    RefusedError,
)
from aioxen.fleet.wire import Reason, State

if TYPE_CHECKING:
    from aioxen._spec import Progress
    from aioxen.fleet.host import Host

T = TypeVar("T")

REFUSALS: dict[Reason, type[FleetError]] = {
    Reason.POLICY: NotAllowedError,
    Reason.IDENTITY: NotAllowedError,
    Reason.OVERLOADED: OverloadedError,
    Reason.NEVER: NotDoneError,
}


class RemoteOperation(asyncio.Future[T], CoroutineMethods[T]):
    """An operation that runs on another host. Its request has been sent.

    As for a local Operation, cancel() asks the host to stop the operation. The future is cancelled when the
    operation has stopped on the host and its effects are undone.
    """

    def __init__(
        self, host: Host, name: str, id: str, inputs: dict[str, Any], timeout: float | None,
        progress: Progress[Any] | None,
    ) -> None:  # fmt: skip
        super().__init__(loop=asyncio.get_running_loop())
        self.host: Host = host
        self.name: str = name
        """The operation's name."""
        self.id: str = id
        """The id of the request."""
        self._inputs = inputs
        self._timeout = timeout
        self._progress = progress if callable(progress) else getattr(progress, "put_nowait", None)
        if progress is not None and self._progress is None:
            raise TypeError(f"progress: a callable or a queue is expected, not {progress!r}")
        self._message: tuple[str, bytes, dict[str, str]] | None = None  # The call, message and headers.
        self._accepted = False
        self._sent = 0  # How often the message was sent.
        self._absent = 0  # How often the message was not delivered.
        self._next = 0.0  # When the message is sent again.
        self._stopping = False
        self._stop_message: Any = None
        self._observes = False  # This operation only asks for the outcome of another request.
        self._undo: RemoteOperation[Any] | None = None
        self._began = time.monotonic()
        self._told = asyncio.Event()  # Set when the host has accepted the request.

    def __repr__(self) -> str:
        return f"<RemoteOperation {self.name} on {self.host.name} {self._state.lower()}>"

    def cancel(self, msg: Any = None) -> bool:
        """Asks the host to stop the operation. Returns False if the future is already done."""
        if self.done():
            return False
        if self._observes:
            self.host._fleet._forget(self)
            return super().cancel(msg)
        if not self._stopping:
            self._stopping, self._stop_message = True, msg
            self.host._fleet._stop(self)
        return True

    def __await__(self) -> Generator[Any, None, T]:
        """Awaits the operation as a Future is awaited. If the task is cancelled before it gets the result,
        the operation is undone, if it has an undo."""
        if not self.done():
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException as error:
                if self._has_result() and OPERATIONS[self.name].undo and not self._observes:
                    undo = self._start_undo()
                    if not isinstance(error, GeneratorExit):
                        yield from until_done(undo)
                raise
        return self.result()

    if not TYPE_CHECKING:
        __iter__ = __await__

    async def __aenter__(self) -> T:
        """Waits for the operation, and returns its result. When the block ends, the operation is undone."""
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await wait_uncancelled(self._start_undo())

    async def accepted(self) -> None:
        """Waits until the host has accepted the request, or until the operation has ended."""
        self.add_done_callback(lambda _: self._told.set())
        await self._told.wait()

    async def ended(self) -> None:
        """Waits until the operation has ended, with any outcome. A cancellation stops the wait only."""
        end = asyncio.Event()
        self.add_done_callback(lambda _: end.set())
        await end.wait()

    def _has_result(self) -> bool:
        return self.done() and not self.cancelled() and self.exception() is None

    def _start_undo(self) -> RemoteOperation[Any]:
        if self._undo is None:
            undo = OPERATIONS[self.name].undo
            if not undo:
                raise TypeError(f"{self.name} has no undo")
            self._undo = getattr(self.host, undo)(self.result())
        return self._undo

    # Replies

    def _take(self, message: dict[str, Any]) -> None:
        """Takes a reply. Raises InvalidError."""
        try:
            state = State(message.get("state"))
        except ValueError:
            raise errors.InvalidError(f"a reply has the unknown state {message.get('state')!r}") from None
        if state is State.RUNNING:
            self._accepted = True
            self._told.set()
        elif state is State.PROGRESS:
            self._report(message)
        elif state is State.DONE:
            result = OPERATIONS[self.name].decode_result(message.get("result"))
            self._finish(self.host._local(result), None)
        elif state is State.CANCELLED:
            self.host._fleet._forget(self)
            super().cancel(self._stop_message)
        elif not self._has_no_answer_yet(state, message):
            self._finish(None, self._error(state, message))

    def _has_no_answer_yet(self, state: State, message: dict[str, Any]) -> bool:
        """Returns whether the host is too busy to answer CANCEL or OUTCOME. The request may still arrive
        there, so the operation does not end. The fleet asks again."""
        asks = self._observes or self._stopping
        return asks and state is State.REFUSED and message.get("reason") == Reason.OVERLOADED.value

    def _report(self, message: dict[str, Any]) -> None:
        row = EVENTS.get(message.get("kind", ""))
        if row is None or self._progress is None:
            return
        try:
            self._progress(row.decode(message.get("event")))
        except errors.InvalidError:
            raise
        except Exception as error:
            report = {"message": f"the receiver of progress of {self!r} failed", "exception": error}
            self.get_loop().call_exception_handler(report)

    def _error(self, state: State, message: dict[str, Any]) -> Exception:
        host = self.host.name
        text: str = wire.member(message, "message", str)
        if state is State.REFUSED:
            reason = Reason(wire.member(message, "reason", str))
            return REFUSALS.get(reason, RefusedError)(host, text, self.name)
        if state is State.INTERRUPTED:
            return InterruptedError(host, text, self.name)
        rc = wire.member(message, "rc", int, type(None))
        domid = wire.member(message, "domid", int, type(None))
        return RefusedError(host, text, self.name) if rc is None else error_of(rc, text, self.name, domid)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        self.host._fleet._forget(self)
        if self.done():
            return
        if error is not None:
            self.set_exception(error)
        elif self._stopping and not OPERATIONS[self.name].undo:
            super().cancel(self._stop_message)  # The operation has ended before the request to stop.
        else:
            self.set_result(value)
