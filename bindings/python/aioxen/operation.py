# SPDX-License-Identifier: LGPL-2.1-or-later
"""The futures of operations. This module cancels, undoes and completes them.

The C library uses an operation's inputs and results until the C operation has completed, even if no
task awaits the future any more. So cancelling only asks the C library to abort. The future is cancelled
when the C operation has completed. If the C operation has succeeded in spite of the abort, its `undo`
in the IDL runs first.

An operation is also a coroutine object. So a program can pass it to a function that takes only coroutines,
such as TaskGroup.create_task(). Unlike other coroutines, an operation is already running.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from aioxen import errors
from aioxen._base import error_of
from aioxen._core import OperationFuture
from aioxen._coroutine import CoroutineMethods, until_done
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


class Operation(OperationFuture[T], CoroutineMethods[T]):
    """A started operation: an asyncio future that only the library completes.

    All functions of asyncio that take an awaitable or a coroutine accept an operation, except asyncio.wait().
    asyncio.wait() refuses every coroutine. For asyncio.wait(), make a task of the operation.
    """

    __slots__ = ("_steps",)

    if TYPE_CHECKING:
        _result: T  # The value of result(). Reading this attribute does not mark the result as taken.
        _xen: Context
        _spec: CffiSpec
        _inputs: tuple[Any, ...]
        _results: tuple[Any, ...] | None
        _stop_reason: Stop | None
        _stop_message: Any

    if not TYPE_CHECKING:
        # A task looks these methods up at each await of a Future. The methods are repeated here to make the
        # lookup short.
        result = asyncio.Future.result
        add_done_callback = asyncio.Future.add_done_callback

    def __repr__(self) -> str:
        """Shows the operation's name and domid. Also shows the phase of an operation in progress, or the
        result of a completed operation."""
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
        error = self._exception  # A call of exception() would mark the exception as retrieved.
        return f"finished exception={error!r}" if error else f"finished result={self._result!r}"

    def cancel(self, msg: Any = None) -> bool:
        """Asks the operation to stop. The future is cancelled when the operation has stopped.

        Returns False if the future is already done.
        """
        if self.done():
            return False
        self._stop_message = msg
        self._request_stop(Stop.CANCEL)
        return True

    def set_result(self, result: T, /) -> None:
        """Raises RuntimeError, because only the library completes an operation."""
        raise RuntimeError("only the library completes an Operation")

    def set_exception(self, exception: type | BaseException, /) -> None:
        """Raises RuntimeError, because only the library completes an operation. To stop it, call cancel()."""
        raise RuntimeError("only the library completes an Operation")

    def _request_stop(self, reason: Stop) -> None:
        if self._stop_reason is None:
            self._abort()
        if self._stop_reason is not Stop.CANCEL:
            self._stop_reason = reason

    def _finish(self, rc: int, message: str) -> None:
        """Completes the future of a C operation that has failed, or that has completed after a
        request to stop."""
        if self._stop_reason is None:
            _set_exception(self, self._error(rc, message))
            return
        self._finish_success() if rc == 0 else self._finish_stopped()

    def _finish_success(self) -> None:
        """Completes the future of a C operation that has succeeded after a request to stop."""
        self._finish_stopped()
        self._spec.free_results(self._results or ())

    def _finish_stopped(self, _: object = None) -> None:
        if self._stop_reason is Stop.CLOSE:
            _set_exception(self, self._error(errors.ClosedError.rc, Stop.CLOSE.value))
        else:
            _set_cancelled(self, self._stop_message)

    def _error(self, rc: int, message: str) -> errors.Error:
        return error_of(rc, message, self._spec.name, self._spec.domid_of(self._inputs))


class Undo(Operation[None]):
    """Undoes an operation whose result no caller sees. An undo cannot be stopped, and awaiting an undo
    raises no error."""

    __slots__ = ("failure",)

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.failure: errors.Error | None = None
        """The error of the undo. None: the undo has succeeded, or it is not done."""

    def cancel(self, msg: Any = None) -> bool:
        """Does nothing, because an undo continues to its end. Returns whether the undo is not done."""
        return not self.done()

    def report(self) -> None:
        """Reports a failure to the loop's exception handler."""
        if self.failure is not None:
            report = {"message": "a cancelled operation could not be undone", "exception": self.failure}
            self.get_loop().call_exception_handler(report)

    def _request_stop(self, reason: Stop) -> None:
        """Does nothing, because an undo continues to its end."""

    def _finish(self, rc: int, message: str) -> None:
        error = self._error(rc, message)
        # DomainNotFoundError means that the domain is gone.
        if not isinstance(error, errors.DomainNotFoundError):
            self.failure = error
        _set_result(self, None)


class UndoableOperation(Operation[T]):
    """An operation with an undo. If no caller takes the operation's result, the undo runs. The only such
    operation of aioxen is domain_create(), and its undo destroys the domain.

    A caller takes the result by awaiting the operation, or by result(). Cancelling a completed operation
    starts the undo, unless a caller has taken the result. Garbage collection of the operation does the same,
    and reports the loss to the loop's exception handler.

    `async with xen.domain_create(config) as domain:` undoes the operation at the end of the block.
    """

    __slots__ = ("_awaiting_tasks", "_taken", "_undo")

    _undo: Undo | None
    _undo_type: type[Undo] = Undo

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        """Raises RuntimeError if another loop is running, because asyncio would refuse to await the result in
        that loop."""
        self._taken = True  # __del__ reads this attribute if an exception is raised here.
        if asyncio._get_running_loop() not in (None, loop):
            raise RuntimeError("the context belongs to another event loop")
        super().__init__(loop=loop)
        self._awaiting_tasks = 0
        self._taken = False
        self._undo = None

    def __await__(self) -> Generator[Any, None, T]:
        """Awaits the operation as a Future is awaited. If the task is cancelled before it gets the result,
        the operation is undone.

        If several tasks await the operation, it is undone when all of them are cancelled.
        """
        if not self.done():
            self._awaiting_tasks += 1
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException as error:
                self._awaiting_tasks -= 1
                if not self._awaiting_tasks and self._has_untaken_result():
                    undo = self._start_undo()
                    if not isinstance(error, GeneratorExit):
                        yield from until_done(undo)
                raise
            self._awaiting_tasks -= 1
        return self.result()

    if not TYPE_CHECKING:
        __iter__ = __await__

    def result(self) -> T:
        """Returns the result, and takes it. Raises the operation's error, CancelledError if the operation was
        cancelled, and asyncio.InvalidStateError if it is not done."""
        value = super().result()
        # A task calls result() before it continues the coroutine that awaits the operation. Between the two,
        # the task may be cancelled. In this case the coroutine gets the cancellation instead of the result.
        # So the result is not taken yet.
        if not self._awaiting_tasks:
            self._taken = True
        return value

    def cancel(self, msg: Any = None) -> bool:
        """Asks the operation to stop. If the operation is done and no caller has taken its result, it
        is undone.

        Returns False if the future is already done.
        """
        if not self._awaiting_tasks and self._has_untaken_result():
            self._start_undo()
        return super().cancel(msg)

    async def __aenter__(self) -> T:
        """Waits for the operation, and returns its result. The end of the block undoes the operation."""
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Undoes the operation, and waits until it is undone. Raises the error of the undo."""
        undo = self._start_undo(reported=False)
        await self._xen._wait_uncancelled(undo)
        if undo.failure is not None:
            raise undo.failure

    def _wait_stopped(self, error: BaseException) -> Generator[Any, None, T]:
        self.cancel()
        yield from until_done(self._undo or self)
        raise error

    def _has_untaken_result(self) -> bool:
        return not self._taken and self.done() and not self.cancelled() and self._exception is None

    def _finish_success(self) -> None:
        self._start_undo().add_done_callback(self._finish_stopped)
        self._spec.free_results(self._results or ())

    def _start_undo(self, *, reported: bool = True) -> Undo:
        """Starts the operation that undoes this successful operation, and returns it. A second call returns
        the same undo.

        reported: True: a failure of the undo is reported to the loop's exception handler.
        """
        if self._undo is None:
            assert self._spec.undo and self._results
            spec, positions = self._spec.undo
            self._taken = True
            self._undo = self._undo_type(loop=self.get_loop())
            self._xen._launch(self._undo, spec, tuple([argument(self._results[i]) for i in positions]))
            if reported:
                self._undo.add_done_callback(Undo.report)
        return self._undo

    def __del__(self) -> None:
        if self._has_untaken_result():
            self._take_back()
        super().__del__()

    def _take_back(self) -> None:
        """Undoes an operation that is garbage-collected before its result was taken."""
        loop = self.get_loop()
        possible = not (loop.is_closed() or self._xen.closed)
        if possible:
            self._start_undo()
        outcome = "it is undone" if possible else "it cannot be undone, because the context is closed"
        message = f"the result of {self._spec.name} was never taken: {self._result!r}; {outcome}"
        loop.call_exception_handler({"message": message})
