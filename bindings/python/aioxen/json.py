# SPDX-License-Identifier: LGPL-2.1-or-later
"""Values to JSON and back.

It is the C library that reads and writes the text, so both languages have one form: fields that are as at
first are left out, 64-bit numbers are exact, and reading refuses whatever it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aioxen import _values as v
from aioxen import errors
from aioxen._native import ffi, lib

if TYPE_CHECKING:
    from aioxen._form import Form

T = TypeVar("T")


def to_json(value: object) -> str:
    """A dataclass of `aioxen.types` as JSON.

    Raises: TypeError and ValueError, with the path, for a value that C has no form of; InvalidError for
    text that is not UTF-8.
    """
    form = _form(type(value))
    keep: v.Keep = []
    c = ffi.new(form.pointer)
    form.put(c, value, type(value).__name__, keep)
    text = form.to_json(ffi.NULL, c)
    if not text:
        raise errors.InvalidError(v.get_string(lib.libxl_error_message()))
    try:
        return v.get_string(text)
    finally:
        lib.free(text)


def from_json(kind: type[T], text: str | bytes) -> T:
    """The value of dataclass `kind` that a document says.

    Raises: InvalidError, which is a ValueError, with the path in the document (`domains[2].domain_type`).
    """
    form = _form(kind)
    if not isinstance(text, str | bytes | bytearray | memoryview):
        raise TypeError(f"a document is expected, not {text!r}")
    octets = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    if b"\0" in octets:
        raise errors.InvalidError("a NUL character in the document")
    c = ffi.new(form.pointer)
    if form.from_json(ffi.NULL, c, octets):
        raise errors.InvalidError(v.get_string(lib.libxl_error_message()))
    try:
        value: T = form.get(c)
        return value
    finally:
        if form.dispose:
            form.dispose(c)


def _form(kind: type) -> Form[Any]:
    v.expect(kind, type, "kind")
    from aioxen._json import FORMS  # few programs need them

    form = FORMS.get(kind)
    if form is None:
        raise TypeError(f"{kind.__qualname__} has no form in JSON")
    return form
