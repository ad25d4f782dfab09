# SPDX-License-Identifier: LGPL-2.1-or-later
"""What starting an operation needs to know: a Call, generated, one per operation."""

from __future__ import annotations

import copyreg
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aioxen._live import Function, Method
from aioxen._native import ffi
from aioxen._values import CData, CType, ctype, fits

if TYPE_CHECKING:
    from aioxen.domain import Domain
    from aioxen.operation import Operation

F = TypeVar("F", bound=Callable[..., Any])

_HOW = ctype("libxl_asyncop_how *")


class Result:
    """One result: the pointer C writes through, what reads it, and what frees what it owns."""

    __slots__ = ("pointer", "read", "free")

    def __init__(
        self, pointer: str | CType, read: Callable[[CData], Any], free: Callable[[CData], None] | None = None
    ) -> None:
        self.pointer = ctype(pointer)
        self.read = read
        self.free = free

    def value(self, xen: Operations, c: CData) -> Any:
        """The value, of which nothing is C's."""
        return self.read(c)

    def drop(self, c: CData) -> None:
        """Free what C had allocated for it."""
        if self.free is not None:
            self.free(c)


class DomainResult(Result):
    """A domid, which becomes a Domain."""

    def __init__(self, pointer: str | CType) -> None:
        super().__init__(pointer, lambda c: c[0])

    def value(self, xen: Operations, c: CData) -> Domain:
        return xen._domain(c[0])


def argument(c: CData) -> CData:
    """What has been written there, as C takes it: structs by their address."""
    kind: CType = ffi.typeof(c)
    return c if kind.item.kind == "struct" else c[0]


class Call(Function):
    """An operation: its C function, which inputs and results it has, and what takes it back."""

    __slots__ = ("name", "function", "inputs", "domid", "results", "reports", "undo")

    def __init__(
        self,
        name: str,
        function: Callable[..., int],
        inputs: tuple[str, ...] = (),
        domid: int | None = None,
        results: tuple[Result, ...] = (),
        reports: bool = False,
        undo: tuple[Call, tuple[int, ...]] | None = None,
        limit: float | None = None,
        instant: bool = False,
        direct: CData = ffi.NULL,
    ) -> None:
        super().__init__(
            direct=int(ffi.cast("uintptr_t", direct)),
            about=-1 if domid is None else domid,
            limit=limit,
            instant=instant,
            gives=bool(results),
            owns=any(result.free for result in results),
            undone=undo is not None,
        )
        self.name = name
        self.function = function
        self.inputs = inputs
        self.domid = domid
        """Which of the inputs is the domain that it is about."""
        self.results = results
        self.reports = reports
        """Whether how its progress is told is the last input."""
        self.undo = undo
        """The operation that takes it back, and which of the results are that one's inputs."""

    def method(self, method: F) -> F:
        """The same method, the most common call of which is answered in C."""
        return cast(F, Method(self, method))

    def out(self) -> tuple[CData, ...]:
        """Memory for the results."""
        return tuple([ffi.new(result.pointer) for result in self.results])

    def begin(self, xen: Operations, inputs: tuple[Any, ...], out: tuple[CData, ...], address: int) -> int:
        """Call the C function. The address of how it completes; 0: it is over when this returns."""
        how = ffi.cast(_HOW, address)
        try:
            if self.reports:
                return self.function(xen._c, *inputs[:-1], *out, how, inputs[-1])
            return self.function(xen._c, *inputs, *out, how)
        except (TypeError, OverflowError) as error:
            raise self.refused(error, inputs) from None

    def value(self, xen: Operations, out: tuple[CData, ...]) -> Any:
        """What `await` gives: the one result, or a tuple of them."""
        if len(self.results) == 1:
            return self.results[0].value(xen, out[0])
        return tuple([result.value(xen, c) for result, c in zip(self.results, out, strict=True)])

    def drop(self, out: tuple[CData, ...]) -> None:
        """Free what C had allocated for the results."""
        for result, c in zip(self.results, out, strict=True):
            result.drop(c)

    def about(self, inputs: tuple[Any, ...]) -> int | None:
        """The domain that a call with these inputs is about."""
        return None if self.domid is None else int(inputs[self.domid])

    def refused(self, error: Exception, inputs: tuple[Any, ...]) -> Exception:
        """What to raise when cffi refuses an input: it does not say which."""
        function: CType = ffi.typeof(self.function)
        given = list(zip(self.inputs, inputs, function.args[1:], strict=False))
        wrong = [part for part in given if not fits(part[1], part[2])]
        told = ", ".join(f"{n}={value!r}" for n, value, _ in wrong or given)
        return type(error)(f"{self.name}({told}): {error}")


class Operations(ABC):
    """What the generated methods stand on."""

    _c: CData

    @abstractmethod
    def _start(self, call: Function, limit: float | None, /, *inputs: Any) -> Operation[Any]:
        """Started when this returns; an instant one is done."""

    @abstractmethod
    def _start_reporting(
        self, call: Call, limit: float | None, progress: Callable[[Any], None] | None, *inputs: Any
    ) -> Operation[Any]:
        """The same; `progress`, unless None, is called with each event that the operation reports."""

    @abstractmethod
    def _domain(self, domid: int) -> Domain:
        """The handle of a domain."""


def _by_name(method: Method) -> tuple[Callable[[str], Any], tuple[str]]:
    """Pickled and copied, it is what has its name, as functions are."""
    from pkgutil import resolve_name

    return resolve_name, (f"{method.__wrapped__.__module__}:{method.__qualname__}",)


copyreg.pickle(Method, _by_name)
