# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class ShutdownFuture, the result of Domain.shutdown() and Domain.reboot()."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aioxen._coroutine import CoroutineMethods
from aioxen.errors import NotReadyError, TimedOutError

if TYPE_CHECKING:
    from aioxen.operation import Operation
    from aioxen.types import ShutdownReason


class ShutdownFuture(asyncio.Future["ShutdownReason"], CoroutineMethods["ShutdownReason"]):
    """Combines two operations that run at the same time: a request to a guest, and the wait until the guest's
    domain stops.

    The future completes when both operations have completed. If one fails, the other one is cancelled. If
    both fail, the request's error is raised. A guest that is suspended has not stopped: this is an error.
    """

    def __init__(self, request: Operation[None], stopped: Operation[ShutdownReason]) -> None:
        super().__init__(loop=request.get_loop())
        self._request = request
        self._stopped = stopped
        self._operations: list[Operation[Any]] = [request, stopped]
        self._cancelling = False
        self._message: Any = None
        for operation in self._operations:
            operation.add_done_callback(self._one_done)

    def cancel(self, msg: Any = None) -> bool:
        """Cancels both operations. This future is cancelled when both have completed."""
        if self.done():
            return False
        self._cancelling, self._message = True, msg
        for operation in self._operations:
            operation.cancel(msg)
        return True

    def _one_done(self, operation: asyncio.Future[Any]) -> None:
        error = None if operation.cancelled() else operation.exception()
        # Both operations have the same limit. If the wait for the stop reaches its limit first, the request
        # is not cancelled. A request that is not acknowledged also reaches its limit, and the request's error
        # is more specific.
        if operation.cancelled() or (
            error and (operation is self._request or not isinstance(error, TimedOutError))
        ):
            for other in self._operations:
                other.cancel()
        if all(o.done() for o in self._operations) and not self.done():
            self._finish()

    def _finish(self) -> None:
        errors = [o.exception() for o in self._operations if not o.cancelled()]
        error = next((e for e in errors if e is not None), None)
        if self._cancelling or (error is None and any(o.cancelled() for o in self._operations)):
            super().cancel(self._message)
        elif error is not None:
            self.set_exception(error)
        elif self._stopped.result().name == "SUSPEND":
            self.set_exception(NotReadyError("the guest was suspended, and has not stopped"))
        else:
            self.set_result(self._stopped.result())
