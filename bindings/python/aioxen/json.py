# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions to_json() and from_json().

The C library reads and writes the text, so C and Python have the same JSON form: fields with their default
values are omitted unless the caller wants them, 64-bit numbers are exact, and unknown fields are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aioxen import _values as v
from aioxen import errors
from aioxen._native import ffi, lib

if TYPE_CHECKING:
    from aioxen._form import Form

T = TypeVar("T")


def to_json(value: object, *, all: bool = False) -> str:
    """Converts a dataclass of `aioxen.types` to JSON.

    all: False: fields with their initial values are omitted. True: every field is written, for readers that
    do not know the initial values.

    Raises: TypeError or ValueError, with the path of the field, for a value that C cannot represent;
    InvalidError for text that is not UTF-8.
    """
    form = _form(type(value))
    keep: v.Keep = []
    c = ffi.new(form.pointer)
    form.put(c, value, type(value).__name__, keep)
    text = (form.to_json_all if all else form.to_json)(ffi.NULL, c)
    if not text:
        raise errors.InvalidError(v.get_string(lib.libxl_error_message()))
    try:
        return v.get_string(text)
    finally:
        lib.free(text)


def from_json(kind: type[T], text: str | bytes) -> T:
    """Converts JSON to a dataclass of type `kind`.

    Raises: InvalidError, which is a ValueError, with the path in the document: `domains[2].domain_type`.
    """
    form = _form(kind)
    if not isinstance(text, str | bytes | bytearray | memoryview):
        raise TypeError(f"text: str or bytes is expected, not {text!r}")
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
    from aioxen._json import FORMS  # The module is imported here because few programs need it.

    form = FORMS.get(kind)
    if form is None:
        raise TypeError(f"{kind.__qualname__} has no JSON form")
    return form
