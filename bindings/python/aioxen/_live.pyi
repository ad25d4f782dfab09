# SPDX-License-Identifier: LGPL-2.1-or-later
# The types of the extension module in bindings/python/live. live.h describes the purpose of each class.
import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, final

from aioxen.operation import Operation, UndoableOperation

_T = TypeVar("_T")

class OperationSpec:
    def __init__(
        self,
        initiator: int,
        domid_index: int,
        limit: float | None,
        instant: bool,
        has_results: bool,
        owns_memory: bool,
        undoable: bool,
        ends_if_gone: bool,
    ) -> None: ...

@final
class FastMethod:
    __name__: str
    __qualname__: str
    def __new__(cls, spec: OperationSpec, method: Callable[..., Any], /) -> FastMethod: ...
    def __call__(self, *args: Any, **keywords: Any) -> Operation[Any]: ...
    def __get__(self, instance: object, owner: type | None = None, /) -> Any: ...
    @property
    def __wrapped__(self) -> Callable[..., Any]: ...

class OperationFuture(asyncio.Future[_T]):
    @property
    def _xen(self) -> Any: ...
    @property
    def _spec(self) -> Any: ...
    @property
    def _inputs(self) -> Any: ...
    @property
    def _results(self) -> Any: ...
    _stop_reason: Any
    _stop_message: Any
    def _abort(self) -> None: ...
    def _set_progress(self, token: int) -> None: ...

class ContextCore:
    def _start(self, spec: OperationSpec, limit: float | None, /, *inputs: Any) -> Operation[Any]: ...
    def _launch(self, operation: Operation[Any], spec: OperationSpec, inputs: tuple[Any, ...], /) -> None: ...
    def _deliver_events(self) -> None: ...
    def _live_operations(self) -> list[Operation[Any]]: ...
    def _attach_loop(
        self,
        context: int,
        loop: asyncio.AbstractEventLoop,
        operation: type[Operation[Any]],
        undoable: type[UndoableOperation[Any]],
        /,
    ) -> None: ...
    def _refuse_operations(self) -> None: ...
    def _detach(self) -> None: ...
