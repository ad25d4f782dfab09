# SPDX-License-Identifier: LGPL-2.1-or-later
"""The forms of types in JSON, for the C tables and the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from gen import model as m

# The functions that write an integer as JSON. In libxl's files, a builtin type is an integer if its
# json_gen_fn is one of these functions.
INTEGER_FUNCTIONS = ("yajl_gen_integer", "libxl__uint64_gen_json")


class Form(Enum):
    BOOL = "BOOL"
    NUMBER = "NUMBER"
    DOUBLE = "DOUBLE"
    STRING = "STRING"
    OCTETS = "OCTETS"
    WORD = "WORD"
    FLAGS = "FLAGS"
    STRUCT = "STRUCT"
    GROUP = "GROUP"
    UNION = "UNION"
    BY_HAND = "BY_HAND"


def form(kind: m.Type) -> Form | None:
    """Returns the form of a value of this type. For an array, returns the form of the elements. Returns
    None if JSON cannot represent the type."""
    if isinstance(kind, m.Array):
        return form(kind.element)
    if kind.private or ("*" in kind.c_name and kind.c_name != "char *"):
        return None
    if isinstance(kind, m.KeyedUnion):
        return Form.UNION
    if isinstance(kind, m.Struct) and kind.name is None:
        return Form.GROUP
    if isinstance(kind, m.Struct) and kind.autogenerate_json:
        return Form.STRUCT
    if isinstance(kind, m.Union):
        return Form.OCTETS
    if isinstance(kind, m.Float):
        return Form.DOUBLE
    if isinstance(kind, m.Enumeration):
        return Form.FLAGS if isinstance(kind, m.Flags) else Form.WORD
    if isinstance(kind, m.Number) or kind.json_gen_fn in INTEGER_FUNCTIONS:
        return Form.NUMBER
    return {"bool": Form.BOOL, "char *": Form.STRING}.get(kind.c_name, Form.BY_HAND)


def members(kind: m.Aggregate) -> Iterator[tuple[m.Field, Form]]:
    """Yields the fields that JSON contains. Const fields are left out, because no function would free
    their values."""
    for f in kind.fields:
        if f.const or f.type is None:
            continue
        found = form(f.type)
        if found is not None:
            yield f, found


def structs(model: m.Model) -> list[m.Struct]:
    """Returns the structs that have functions for JSON."""
    return [s for s in model.structs if form(s) is Form.STRUCT]
