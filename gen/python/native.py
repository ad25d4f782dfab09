# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _native.pyi: the types of the cffi module."""

from __future__ import annotations

from gen import model as m
from gen.python.names import HEAD, function, operations

TEXT = '''"""The C library through cffi: `lib` contains its functions, `ffi` allocates and reads C data."""

from typing import Any, Final

class _CType: ...

class _FFI:
    NULL: Final[Any]
    CData: Final[type]
    def new(self, cdecl: str | _CType, init: Any = ...) -> Any: ...
    def typeof(self, cdecl: Any) -> _CType: ...
    def sizeof(self, cdecl: Any) -> int: ...
    def callback(self, cdecl: str | _CType, python_callable: Any) -> Any: ...
    def cast(self, cdecl: str | _CType, value: Any) -> Any: ...
    def string(self, cdata: Any, maxlen: int = ...) -> bytes: ...
    def unpack(self, cdata: Any, length: int) -> Any: ...
    def buffer(self, cdata: Any, size: int = ...) -> Any: ...
    def gc(self, cdata: Any, destructor: Any) -> Any: ...
    def addressof(self, cdata: Any, *fields: str | int) -> Any: ...

class _Lib:
    # The functions that libxl.h and libxl_event.h declare.
    def __getattr__(self, name: str) -> Any: ...
    # The operations.
'''


def text(model: m.Model) -> str:
    return HEAD + TEXT + "".join(declaration(o) for o in operations(model)) + "\nffi: _FFI\nlib: _Lib\n"


def declaration(operation: m.Operation) -> str:
    """Returns the declaration of an operation's C function. An integer has the type int. Any other value
    is C data."""
    names = ["ctx", *(f.name for f in operation.inputs + operation.results), "ao_how"]
    if operation.progress:
        names.append(f"aop_{operation.progress_what}_how")
    numbers = {f.name for f in operation.inputs if isinstance(f.kind, (m.Number, m.Enumeration))}
    typed = [f"{name}: {'int' if name in numbers else 'Any'}" for name in names]
    floats = {f.name for f in operation.inputs if isinstance(f.kind, m.Float)}
    typed = [text.replace(": Any", ": float") if text.split(":")[0] in floats else text for text in typed]
    return function(operation.c_name, ["self", *typed, "/"], "int", 4, " ...")
