# SPDX-License-Identifier: LGPL-2.1-or-later
"""A struct's copy_deprecated_fn. It moves the values of deprecated fields to the fields that replace them.

The body of an operation that takes such a struct calls the function first, and then reads the new fields
only. The function returns ERROR_INVAL, with the field's path in the message, if a caller has set both fields.
"""

from __future__ import annotations

from collections.abc import Iterator

from gen import c
from gen import model as m
from gen.c_types_source import initial, switch

BOTH_GIVEN = """\
static int both_given(const char *path, const char *instead)
{
    return libxl__refuse(ERROR_INVAL, "%s: deprecated by %s, which is given, too", path, instead);
}
"""


def head(kind: m.Struct) -> str:
    assert kind.copy_deprecated_fn
    return c.prototype("int", kind.copy_deprecated_fn, ["libxl_ctx *ctx", f"{kind.c_name} *p"])


def function(kind: m.Struct) -> str:
    return c.function(head(kind), "(void)ctx;\n" + "".join(moves(kind, kind, "")) + "return 0;\n")


def moves(owner: m.Struct, kind: m.Aggregate, prefix: str) -> Iterator[str]:
    """Yields the statements that move the deprecated fields below `prefix`."""
    for f in kind.fields:
        path = f"{prefix}{f.name}"
        if f.deprecated_by:
            yield move(f, path, f.deprecated_by)
        elif isinstance(f.type, m.KeyedUnion):
            cases = {arm: list(moves(owner, alone(arm), f"{path}.")) for arm in f.type.fields if arm.type}
            yield switch(f"p->{prefix}{f.type.keyvar.name}", cases)
        elif isinstance(f.type, m.Struct) and f.type.name is None:
            yield from moves(owner, f.type, f"{path}.")


def alone(arm: m.Field) -> m.Struct:
    return m.Struct(name=None, place=arm.place, fields=[arm])


def move(f: m.Field, path: str, instead: str) -> str:
    old, new = f"p->{path}", f"p->{instead}"
    return (
        f"if ({given(f, old)}) {{\n"
        f"    if ({given(f, new)})\n"
        f'        return both_given("{path}", "{instead}");\n'
        f"    memcpy(&{new}, &{old}, sizeof({new}));\n"
        f"{reset(f, old)}"
        "}\n"
    )


def given(f: m.Field, at: str) -> str:
    """Returns a C expression that is true if a field differs from its initial value."""
    if f.kind.check_default_fn:
        return f"!{f.kind.check_default_fn}(&{at})"
    value = initial(f)
    return at if value is None else f"{at} != {value}"


def reset(f: m.Field, at: str) -> str:
    if f.kind.init_fn:
        return f"    {f.kind.init_fn}(&{at});\n"
    value = initial(f)
    return f"    memset(&{at}, 0, sizeof({at}));\n" if value is None else f"    {at} = {value};\n"
