# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns the futures of operations: how they are cancelled, undone and completed.

The C library uses an operation's inputs and results until the C operation has completed, even if nobody
awaits it any more. Cancelling therefore asks the C library to abort; the future is cancelled when the C
operation has completed. If the operation succeeded nevertheless, it is undone first (`undo` in the IDL).
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from aioxen import errors
from aioxen._base import error_of
from aioxen._live import OperationFuture
from aioxen._spec import argument

if TYPE_CHECKING:
    from aioxen._spec import CffiSpec
    from aioxen.context import Context

T = TypeVar("T")

# The methods of asyncio.Future. An Operation overrides them, because only the library completes it.
_set_result = asyncio.Future.set_result
_set_exception = asyncio.Future.set_exception
_set_cancelled = asyncio.Future.cancel


class Stop(enum.Enum):
    """The reason why an operation was asked to stop."""

    CANCEL = "cancelled"
    CLOSE = "the context is being closed"


class Operation(OperationFuture[T]):
    """A started operation: an asyncio future that only the library completes."""

    __slots__ = ()

    if TYPE_CHECKING:
        _xen: Context
        _spec: CffiSpec
        _inputs: tuple[Any, ...]
        _results: tuple[Any, ...] | None
        _stop_reason: Stop | None
        _stop_message: Any

    if not TYPE_CHECKING:
        # A task looks these methods up at each await of a Future. They are repeated here so that the lookup
        # is short.
        result = asyncio.Future.result
        add_done_callback = asyncio.Future.add_done_callback

    def __repr__(self) -> str:
        """Shows the operation's name and domid, and its phase or the way in which it was completed."""
        if self._spec is None:
            return super().__repr__()
        domid = self._spec.domid_of(self._inputs)
        about = "" if domid is None else f" domid={domid}"
        return f"<{type(self).__name__} {self._spec.name}{about} {self._state_text()}>"

    def _state_text(self) -> str:
        if not self.done():
            info = next((i for i in self._xen.operations() if i.for_event == id(self)), None)
            return f"{info.state} phase={info.phase}" if info else "pending"
        if self.cancelled():
            return "cancelled"
        error = self._exception  # exception() would mark the exception as retrieved
        return f"finished exception={error!r}" if error else f"finished result={self.result()!r}"

    def cancel(self, msg: Any = None) -> bool:
        """Ask the operation to stop. The future is cancelled once the operation has stopped.

        Returns False if the future is already done.
        """
        if self.done():
            return False
        self._stop_message = msg
        self._request_stop(Stop.CANCEL)
        return True

    def set_result(self, result: T, /) -> None:
        raise RuntimeError("only the library completes an Operation")

    def set_exception(self, exception: type | BaseException, /) -> None:
        raise RuntimeError("only the library completes an Operation")

    def _request_stop(self, reason: Stop) -> None:
        if self._stop_reason is None:
            self._abort()
        if self._stop_reason is not Stop.CANCEL:
            self._stop_reason = reason

    def _finish(self, rc: int, message: str) -> None:
        """Called when the C operation has failed, or has completed after a request to stop."""
        if self._stop_reason is None:
            _set_exception(self, self._error(rc, message))
            return
        if rc == 0 and self._spec.undo is not None:
            self._start_undo().add_done_callback(self._finish_stopped)
        else:
            self._finish_stopped()
        if rc == 0:
            self._spec.free_results(self._results or ())

    def _finish_stopped(self, _: object = None) -> None:
        if self._stop_reason is Stop.CLOSE:
            _set_exception(self, self._error(errors.ClosedError.rc, Stop.CLOSE.value))
        else:
            _set_cancelled(self, self._stop_message)

    def _start_undo(self) -> Undo:
        """Start the operation that undoes this one. This operation has succeeded."""
        assert self._spec.undo and self._results
        spec, positions = self._spec.undo
        undo = Undo(loop=self.get_loop())
        self._xen._launch(undo, spec, tuple([argument(self._results[i]) for i in positions]))
        return undo

    def _error(self, rc: int, message: str) -> errors.Error:
        return error_of(rc, message, self._spec.name, self._spec.domid_of(self._inputs))


class UndoableOperation(Operation[T]):
    """An operation whose result must reach a caller. Without the result, nobody could destroy the new
    domain."""

    __slots__ = ("_awaiting_tasks",)

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        """Raises RuntimeError if another loop is running, because asyncio would refuse to await the result in
        that loop."""
        if asyncio._get_running_loop() not in (None, loop):
            raise RuntimeError("the context belongs to another event loop")
        super().__init__(loop=loop)

    def __await__(self) -> Generator[Any, None, T]:
        """Await as a Future does. Undoes the operation if the task is cancelled before it sees the result.

        If several tasks await the operation, it is undone only if all of them are cancelled.
        """
        if not self.done():
            self._awaiting_tasks = getattr(self, "_awaiting_tasks", 0) + 1
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException as error:
                self._awaiting_tasks -= 1
                if not self._awaiting_tasks and self.done() and not self.cancelled() and not self.exception():
                    undo = self._start_undo()
                    if not isinstance(error, GeneratorExit):
                        yield from undo.wait_uncancelled()
                raise
        return self.result()

    __iter__ = __await__


class Undo(Operation[None]):
    """Undoes an operation whose result no caller sees. It cannot be stopped, and it never raises."""

    __slots__ = ()

    def cancel(self, msg: Any = None) -> bool:
        return not self.done()

    def wait_uncancelled(self) -> Generator[Any, None, None]:
        """Wait until the undo is done. A cancellation of the waiting task is ignored."""
        while not self.done():
            self._asyncio_future_blocking = True
            with contextlib.suppress(asyncio.CancelledError):
                yield self

    def _request_stop(self, reason: Stop) -> None:
        """Does nothing, because an undo continues to its end."""

    def _finish(self, rc: int, message: str) -> None:
        self._report_failure(self._error(rc, message))
        _set_result(self, None)

    def _report_failure(self, error: errors.Error) -> None:
        if not isinstance(error, errors.DomainNotFoundError):  # that error means that the domain is gone
            report = {"message": "a cancelled operation could not be undone", "exception": error}
            self.get_loop().call_exception_handler(report)
