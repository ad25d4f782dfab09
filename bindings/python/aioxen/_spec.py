# SPDX-License-Identifier: LGPL-2.1-or-later
"""The descriptions of operations: the classes CffiSpec and Result, from which generated tables are built, and
the class OperationsBase, which the generated methods call."""

from __future__ import annotations

import copyreg
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from aioxen import _convert
from aioxen._core import FastMethod, OperationSpec
from aioxen._native import ffi, lib
from aioxen._values import CData, CType, ctype, fits

if TYPE_CHECKING:
    from aioxen._shutdown import ShutdownFuture
    from aioxen.console import Console
    from aioxen.domain import Domain
    from aioxen.operation import Operation, UndoableOperation
    from aioxen.types import ConsoleType, ShutdownReason

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)


class DomainBase:
    """Declares the attributes of every class of domains."""

    __slots__ = ()

    domid: int
    _uuid_bytes: bytes


DomainLike: TypeAlias = int | DomainBase
"""A domid, or a Domain.

For a Domain, the operation first checks that the domain with this domid still has the Domain's UUID.
Otherwise the operation raises DomainGoneError.
"""

_HOW = ctype("libxl_asyncop_how *")
_ADDRESS = ctype("uintptr_t")


class ProgressQueue(Protocol[E_contra]):
    """A queue that receives progress events, for example an asyncio.Queue."""

    def put_nowait(self, item: E_contra, /) -> None: ...


Progress: TypeAlias = Callable[[E], None] | ProgressQueue[E]
"""The type of the argument `progress`. It is a function, or a queue whose put_nowait() is called.

The function is called in the loop's thread. If the function raises an exception, the exception goes to the
loop's exception handler, and the operation continues.
"""


class Result:
    """One result of an operation. It has the C type, the function that reads the result, and the function
    that frees the result's memory. `read` may be the name of a function of _convert, and `free` the name of
    a C function."""

    __slots__ = ("name", "reader", "pointer", "read", "free")

    pointer: CType
    read: Callable[[CData], Any]

    def __init__(
        self,
        pointer: str | CType,
        read: str | Callable[[CData], Any],
        free: str | Callable[[CData], None] | None = None,
    ) -> None:
        self.name = pointer
        self.reader = read
        self.free = free

    def __getattr__(self, name: str) -> Any:
        """Finds the C type and the function at their first use, because most programs use few operations."""
        if name == "pointer":
            self.pointer = ctype(self.name)
        elif name == "read":
            self.read = getattr(_convert, self.reader) if isinstance(self.reader, str) else self.reader
        else:
            raise AttributeError(name)
        return getattr(self, name)

    def value(self, xen: OperationsBase, c: CData) -> Any:
        """Returns the Python value. The value does not refer to C memory."""
        return self.read(c)

    def free_memory(self, c: CData) -> None:
        """Frees the memory that the C library has allocated for the result."""
        if isinstance(self.free, str):
            self.free = cast(Callable[[CData], None], getattr(lib, self.free))
        if self.free is not None:
            self.free(c)


class DomainResult(Result):
    """A result that is a domid. Python returns a Domain."""

    def __init__(self, pointer: str | CType) -> None:
        super().__init__(pointer, lambda c: c[0])

    def value(self, xen: OperationsBase, c: CData) -> Domain:
        return xen._domain(c[0])


def argument(c: CData) -> CData:
    """Converts a result to an argument of another C function. A struct is passed by its address."""
    kind: CType = ffi.typeof(c)
    return c if kind.item.kind == "struct" else c[0]


class CffiSpec(OperationSpec):
    """An operation's C function, inputs, results and undo. The C function is called through cffi.

    `function` may be the name of the C function. cffi then makes the function's object at the first call,
    because all of these objects would take 2 of the 38 million instructions of importing this package.
    """

    __slots__ = ("name", "_function", "input_names", "domid", "results", "reports", "undo")

    def __init__(
        self,
        name: str,
        function: str | Callable[..., int],
        inputs: tuple[str, ...] = (),
        domid: int | None = None,
        results: tuple[Result, ...] = (),
        reports: bool = False,
        undo: tuple[CffiSpec, tuple[int, ...]] | None = None,
        limit: float | None = None,
        instant: bool = False,
        ends_if_gone: bool = False,
        initiator: CData | None = None,
    ) -> None:
        super().__init__(
            initiator=0 if initiator is None else int(ffi.cast(_ADDRESS, initiator)),
            domid_index=-1 if domid is None else domid,
            limit=limit,
            instant=instant,
            has_results=bool(results),
            owns_memory=bool(results) and any(result.free for result in results),
            undoable=undo is not None,
            ends_if_gone=ends_if_gone,
        )
        self.name = name
        self._function = function
        self.input_names = inputs
        self.domid = domid
        """The position of the operation's domain among the inputs."""
        self.results = results
        self.reports = reports
        """Whether the C function takes a libxl_asyncprogress_how. If so, it is the last input."""
        self.undo = undo
        """The operation that undoes this operation, and the positions of the results that are the inputs
        of the undo."""

    @property
    def function(self) -> Callable[..., int]:
        """The C function."""
        if isinstance(self._function, str):
            self._function = cast(Callable[..., int], getattr(lib, self._function))
        return self._function

    @property
    def c_name(self) -> str:
        """The name of the C function."""
        return self._function if isinstance(self._function, str) else self._function.__name__

    def method(self, method: F) -> F:
        """Returns a decorator for a generated method. The common calls of the method then run in C."""
        return cast(F, FastMethod(self, method))

    def new_results(self) -> tuple[CData, ...]:
        """Allocates the memory that the C function writes the results to."""
        return tuple([ffi.new(result.pointer) for result in self.results])

    def call(
        self, xen: OperationsBase, inputs: tuple[Any, ...], results: tuple[CData, ...], address: int
    ) -> int:
        """Calls the C function, and returns its result. `address` is the address of a libxl_asyncop_how,
        or 0 for a synchronous call."""
        function = self._function
        if isinstance(function, str):
            function = self.function
        how = ffi.cast(_HOW, address)
        try:
            if self.reports:
                return function(xen._c, *inputs[:-1], *results, how, inputs[-1])
            return function(xen._c, *inputs, *results, how)
        except (TypeError, OverflowError) as error:
            raise self.input_error(error, inputs) from None

    def read_results(self, xen: OperationsBase, results: tuple[CData, ...]) -> Any:
        """Returns the value of the future. It is the operation's result, or a tuple if the operation has
        several results."""
        if len(self.results) == 1:
            return self.results[0].value(xen, results[0])
        return tuple([result.value(xen, c) for result, c in zip(self.results, results, strict=True)])

    def free_results(self, results: tuple[CData, ...]) -> None:
        """Frees the memory that the C library has allocated for the results."""
        for result, c in zip(self.results, results, strict=True):
            result.free_memory(c)

    def domid_of(self, inputs: tuple[Any, ...]) -> int | None:
        """Returns the domid among the inputs of a call, or None if the operation takes no domain."""
        return None if self.domid is None else int(inputs[self.domid])

    def input_error(self, error: Exception, inputs: tuple[Any, ...]) -> Exception:
        """Returns the exception for an input that cffi has refused. The exception of cffi does not name
        the input."""
        function: CType = ffi.typeof(self.function)
        given = list(zip(self.input_names, inputs, function.args[1:], strict=False))
        wrong = [part for part in given if not fits(part[1], part[2])]
        text = ", ".join(f"{n}={value!r}" for n, value, _ in wrong or given)
        return type(error)(f"{self.name}({text}): {error}")


class OperationsBase(ABC):
    """Declares the methods that the generated methods call."""

    _c: CData

    @abstractmethod
    def _start(self, spec: OperationSpec, limit: float | None, /, *inputs: Any) -> Operation[Any]:
        """Starts an operation. An instant operation is complete on return."""

    @abstractmethod
    def _start_reporting(
        self, spec: CffiSpec, limit: float | None, progress: Progress[Any] | None, /, *inputs: Any
    ) -> Operation[Any]:
        """Starts an operation that waits. `progress` receives the progress events, unless it is None."""

    @abstractmethod
    def _start_undoable(
        self, spec: CffiSpec, limit: float | None, progress: Progress[Any] | None, /, *inputs: Any
    ) -> UndoableOperation[Any]:
        """Starts an operation that has an undo. `progress` receives the progress events, unless it
        is None."""

    @abstractmethod
    def _domain(self, domid: int) -> Domain:
        """Returns the handle of a domain."""

    @abstractmethod
    def _console(self, domain: DomainLike, number: int, kind: ConsoleType, limit: int) -> Console:
        """Returns a domain's console, which is not open."""

    @abstractmethod
    def _shutdown(self, request: Operation[None], stopped: Operation[ShutdownReason]) -> ShutdownFuture:
        """Returns the future that is done when a request and the guest's stop are done."""


def _by_name(method: FastMethod) -> tuple[Callable[[str], Any], tuple[str]]:
    """Makes pickle and copy treat a FastMethod by its name, as they treat functions. Returns the function
    and the arguments that find the method."""
    from pkgutil import resolve_name

    return resolve_name, (f"{method.__wrapped__.__module__}:{method.__qualname__}",)


copyreg.pickle(FastMethod, _by_name)
