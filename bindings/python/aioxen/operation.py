# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations under asyncio: futures that the library ends.

An operation's arguments and results are its own until the C operation has ended, whoever still
awaits it. So cancelling asks C to abort, and the future is cancelled only when C has answered. If
the operation succeeded all the same, its result is taken back first (`undo` in the IDL).
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from aioxen import errors
from aioxen._base import error_of
from aioxen._call import argument
from aioxen._live import Pending

if TYPE_CHECKING:
    from aioxen._call import Call
    from aioxen.context import Context

T = TypeVar("T")

# The parent's methods: an Operation's own refuse, or do something else.
end_with_result = asyncio.Future.set_result
end_with_exception = asyncio.Future.set_exception
end_cancelled = asyncio.Future.cancel


class Stop(enum.Enum):
    """Why an operation has been asked to stop."""

    CANCEL = "cancelled"
    CLOSE = "the context is being closed"


class Operation(Pending[T]):
    """An operation under way: awaitable, and ended by the library alone."""

    __slots__ = ()

    if TYPE_CHECKING:
        _xen: Context
        _call: Call
        _inputs: tuple[Any, ...]
        _out: tuple[Any, ...] | None
        _stop: Stop | None
        _why: Any

    if not TYPE_CHECKING:
        # A task's step looks them up at each await of what is not just a Future: here they are found first.
        result = asyncio.Future.result
        add_done_callback = asyncio.Future.add_done_callback

    def cancel(self, msg: Any = None) -> bool:
        """Ask for its end; it is cancelled when that has come. False if it has ended already."""
        if self.done():
            return False
        self._why = msg
        self._ask(Stop.CANCEL)
        return True

    def set_result(self, result: T, /) -> None:
        raise RuntimeError("an Operation is ended by the library")

    def set_exception(self, exception: type | BaseException, /) -> None:
        raise RuntimeError("an Operation is ended by the library")

    def _ask(self, why: Stop) -> None:
        if self._stop is None:
            self._abort()
        if self._stop is not Stop.CANCEL:
            self._stop = why

    def _end(self, rc: int, message: str) -> None:
        """The C operation has failed, or ended after it had been asked to stop."""
        if self._stop is None:
            end_with_exception(self, self._error(rc, message))
            return
        if rc == 0 and self._call.undo is not None:
            self._take_back().add_done_callback(self._stopped)
        else:
            self._stopped()
        if rc == 0:
            self._call.drop(self._out or ())

    def _stopped(self, _: object = None) -> None:
        if self._stop is Stop.CLOSE:
            end_with_exception(self, self._error(errors.ClosedError.rc, Stop.CLOSE.value))
        else:
            end_cancelled(self, self._why)

    def _take_back(self) -> Undo:
        """Start what undoes this operation's success."""
        assert self._call.undo and self._out
        call, results = self._call.undo
        undo = Undo(loop=self.get_loop())
        self._xen._launch(undo, call, tuple([argument(self._out[i]) for i in results]))
        return undo

    def _error(self, rc: int, message: str) -> errors.Error:
        return error_of(rc, message, self._call.name, self._call.about(self._inputs))


class Undoable(Operation[T]):
    """An operation whose result must not be lost: nobody would destroy the domain."""

    __slots__ = ("_awaited",)

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        """Refused in another loop: asyncio would refuse to await it there, and it would go on unseen."""
        if asyncio._get_running_loop() not in (None, loop):
            raise RuntimeError("the context serves another event loop")
        super().__init__(loop=loop)

    def __await__(self) -> Generator[Any, None, T]:
        """As Future's, and the result is taken back if its task is cancelled before it can go on.

        Such a task never sees the result. If someone else awaits this, too, it is theirs.
        """
        if not self.done():
            self._awaited = getattr(self, "_awaited", 0) + 1
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException as error:
                self._awaited -= 1
                if not self._awaited and self.done() and not self.cancelled() and not self.exception():
                    undo = self._take_back()
                    if not isinstance(error, GeneratorExit):
                        yield from undo.quietly()
                raise
        return self.result()

    __iter__ = __await__


class Undo(Operation[None]):
    """Takes back a result that nobody will see. It cannot be stopped; who waits for it is cancelled."""

    __slots__ = ()

    def cancel(self, msg: Any = None) -> bool:
        return not self.done()

    def quietly(self) -> Generator[Any, None, None]:
        """Wait for its end, whatever happens."""
        while not self.done():
            self._asyncio_future_blocking = True
            with contextlib.suppress(asyncio.CancelledError):
                yield self

    def _ask(self, why: Stop) -> None:
        """It goes on."""

    def _end(self, rc: int, message: str) -> None:
        self._complain(self._error(rc, message))
        end_with_result(self, None)

    def _complain(self, error: errors.Error) -> None:
        if not isinstance(error, errors.DomainNotFoundError):  # gone already: all the better
            said = {"message": "a domain that nobody awaits could not be destroyed", "exception": error}
            self.get_loop().call_exception_handler(said)
