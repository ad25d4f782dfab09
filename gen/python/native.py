# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types of the extension module: what a checker needs to know of it."""

from __future__ import annotations

from gen import model as m
from gen.python.names import HEAD, function

TEXT = '''"""The C library, through cffi: `lib` has its functions, `ffi` makes and reads C's data."""

from typing import Any, Final

class _CType: ...

class _FFI:
    NULL: Final[Any]
    CData: Final[type]
    def new(self, cdecl: str | _CType, init: Any = ...) -> Any: ...
    def typeof(self, cdecl: Any) -> _CType: ...
    def sizeof(self, cdecl: Any) -> int: ...
    def cast(self, cdecl: str | _CType, value: Any) -> Any: ...
    def string(self, cdata: Any, maxlen: int = ...) -> bytes: ...
    def unpack(self, cdata: Any, length: int) -> Any: ...
    def buffer(self, cdata: Any, size: int = ...) -> Any: ...
    def addressof(self, cdata: Any, *fields: str | int) -> Any: ...

class _Lib:
    # What libxl.h and libxl_event.h declare by hand.
    def __getattr__(self, name: str) -> Any: ...
    # The operations.
'''


def text(model: m.Model) -> str:
    return HEAD + TEXT + "".join(declaration(o) for o in model.public_operations) + "\nffi: _FFI\nlib: _Lib\n"


def declaration(operation: m.Operation) -> str:
    """An operation as cffi offers it: numbers as int, everything else as C data."""
    names = ["ctx", *(f.name for f in operation.inputs + operation.results), "ao_how"]
    if operation.progress:
        names.append(f"aop_{operation.progress_what}_how")
    numbers = {f.name for f in operation.inputs if isinstance(f.kind, (m.Number, m.Enumeration))}
    typed = [f"{name}: {'int' if name in numbers else 'Any'}" for name in names]
    return function(operation.c_name, ["self", *typed, "/"], "int", 4, " ...")
