# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, final

from aioxen.operation import Operation, Undoable

_T = TypeVar("_T")

class Function:
    def __init__(
        self,
        direct: int,
        about: int,
        limit: float | None,
        instant: bool,
        gives: bool,
        owns: bool,
        undone: bool,
    ) -> None: ...

@final
class Method:
    __name__: str
    __qualname__: str
    def __new__(cls, function: Function, method: Callable[..., Any], /) -> Method: ...
    def __call__(self, *args: Any, **keywords: Any) -> Operation[Any]: ...
    def __get__(self, instance: object, owner: type | None = None, /) -> Any: ...
    @property
    def __wrapped__(self) -> Callable[..., Any]: ...

class Pending(asyncio.Future[_T]):
    @property
    def _xen(self) -> Any: ...
    @property
    def _call(self) -> Any: ...
    @property
    def _inputs(self) -> Any: ...
    @property
    def _out(self) -> Any: ...
    _stop: Any
    _why: Any
    def _abort(self) -> None: ...

class Starter:
    def _start(self, call: Function, limit: float | None, /, *inputs: Any) -> Operation[Any]: ...
    def _launch(self, operation: Operation[Any], call: Function, inputs: tuple[Any, ...], /) -> None: ...
    def _drain(self) -> None: ...
    def _live(self) -> list[Operation[Any]]: ...
    def _serve(
        self,
        context: int,
        loop: asyncio.AbstractEventLoop,
        operation: type[Operation[Any]],
        undoable: type[Undoable[Any]],
        /,
    ) -> None: ...
    def _refuse(self) -> None: ...
    def _leave(self) -> None: ...
