# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks of inputs: numbers out of bounds, unknown values of enumerations, missing arrays.

The message of a failed check begins with the path of the wrong value: `d_config.disks[2].format: 7 is
not a disk_format`.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace

from gen import c
from gen import model as m


@dataclass(frozen=True)
class Spot:
    """A value in an input: its C expression, and its name in a message.

    `indices` are the loop variables that fill each %d in the name. `indent` is the indentation of the code
    that checks the value.
    """

    access: str
    path: str
    indices: tuple[str, ...] = ()
    indent: int = 4

    def member(self, name: str, through: str = ".") -> Spot:
        return replace(self, access=f"{self.access}{through}{name}", path=f"{self.path}.{name}")

    def element(self) -> Spot:
        index = "ijklmn"[len(self.indices)]
        at, path = f"{self.access}[{index}]", f"{self.path}[%d]"
        return replace(self, access=at, path=path, indices=(*self.indices, index), indent=self.indent + 4)

    def refuse(self, condition: str, message: str, value: str = "") -> str:
        """Returns an `if` statement: if `condition` holds, the operation fails with the message."""
        given = ["ao", "ERROR_INVAL", f'"{self.path}: {message}"', *self.indices, *([value] if value else [])]
        failing = c.call("    return libxl__ao_fail", given, self.indent)
        return f"if ({condition})\n{failing};\n"


def checks(o: m.Operation) -> list[str]:
    """Returns the functions that check an operation's inputs. There is no function for an input that
    accepts every value."""
    found: list[str] = []
    for f in o.inputs:
        body = check_input(f)
        if body:
            name = f"{o.name}_check_{f.name}"
            head = c.prototype("static int", name, ["libxl__ao *ao", c.input_parameter(f)])
            found.append(c.function(head, body + "return 0;\n"))
    return found


def check_input(f: m.Field) -> str:
    """Returns the body of the function that checks an input. Returns "" if there is nothing to check."""
    spot = Spot(f.name, f.name)
    if isinstance(f.kind, m.Struct):
        return "".join(check_field(g, spot, "->") for g in f.kind.fields)
    return check_value(f, spot)


def check_field(f: m.Field, parent: Spot, through: str = ".") -> str:
    kind = f.kind
    spot = parent.member(f.name, through)
    if isinstance(kind, m.Array):
        return check_array(f, kind, spot, parent.member(kind.lenvar.name, through))
    if isinstance(kind, m.KeyedUnion):
        return check_keyed_union(kind, spot, parent.member(kind.keyvar.name, through))
    return check_value(f, spot)


def check_value(f: m.Field, spot: Spot) -> str:
    """Returns the check of a single value: a field or an array's element."""
    kind = f.kind
    if isinstance(f.enumeration, m.Flags):
        bits = f"((unsigned){spot.access} & ~{f.enumeration.mask:#x}u)"
        return spot.refuse(bits, f"%#x is no set of {f.enumeration.name}", f"(unsigned){spot.access}")
    if f.enumeration is not None:
        value = spot.access if f.type is f.enumeration else f"({f.enumeration.c_name}){spot.access}"
        unknown = f"!{f.enumeration.c_name}_to_string({value})"
        return spot.refuse(unknown, f"%d is not a {f.enumeration.name}", f"(int){spot.access}")
    if isinstance(kind, m.Number):
        return check_bounds(f, kind, spot)
    if isinstance(kind, m.Float):
        return check_limits(f, spot)
    if isinstance(kind, m.Struct):
        return "".join(check_field(g, spot) for g in kind.fields)
    return ""


def check_bounds(f: m.Field, kind: m.Number, spot: Spot) -> str:
    least, greatest = kind.range or (None, None)
    suffix = ("" if kind.signed else "u") + ("ll" if (kind.width or 64) > 32 else "")
    # The tests of the bounds. A bound that equals the type's own bound is not tested, because compilers warn
    # about such a test.
    tests: list[str] = []
    if f.min is not None and f.min != least:
        tests.append(f"{spot.access} < {f.min}{suffix}")
    if f.max is not None and f.max != greatest:
        tests.append(f"{spot.access} > {f.max}{suffix}")
    if not tests:
        return ""
    form, cast = ("%lld", "(long long)") if kind.signed else ("%llu", "(unsigned long long)")
    return spot.refuse(" || ".join(tests), f"{form} is not {bounds(f)}", cast + spot.access)


def check_limits(f: m.Field, spot: Spot) -> str:
    """Returns the check of a double's bounds. The condition also refuses NaN."""
    tests = [] if f.min is None else [f"{spot.access} >= {float(f.min)!r}"]
    tests += [] if f.max is None else [f"{spot.access} <= {float(f.max)!r}"]
    return spot.refuse(f"!({' && '.join(tests)})", f"%g is not {bounds(f)}", spot.access) if tests else ""


def bounds(f: m.Field) -> str:
    """Returns the bounds of a number, in words."""
    if f.min is not None and f.max is not None:
        return f"between {f.min} and {f.max}"
    return f"{f.min} or more" if f.min is not None else f"{f.max} or less"


def check_array(f: m.Field, array: m.Array, spot: Spot, length: Spot) -> str:
    number = array.lenvar.kind
    assert isinstance(number, m.Number)
    text = check_bounds(replace(f, min=f.min or 0), number, length)
    text += length.refuse(f"{length.access} && !{spot.access}", f"%d, but {f.name} is NULL", length.access)
    inner = check_value(m.Field(name="", type=array.element, place=f.place), spot.element())
    if inner:
        index = spot.element().indices[-1]
        body = textwrap.indent(inner, "    ")
        text += f"for (int {index} = 0; {index} < {length.access}; {index}++) {{\n{body}}}\n"
    return text


def check_keyed_union(union: m.KeyedUnion, spot: Spot, key: Spot) -> str:
    text = check_value(union.keyvar, key)
    for arm in union.fields:
        inner = check_field(arm, replace(spot, indent=spot.indent + 4)) if arm.type is not None else ""
        if inner and arm.value:
            body = textwrap.indent(inner, "    ")
            text += f"if ({key.access} == {arm.value.c_name}) {{\n{body}}}\n"
    return text
