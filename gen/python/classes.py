# SPDX-License-Identifier: LGPL-2.1-or-later
"""Enumerations, dataclasses and events."""

from __future__ import annotations

import re

from gen import model as m
from gen.model import Mistake
from gen.python.names import HEAD, Names, camel, docstring, exported, member, members

IMPORTS = '''"""What operations take and give, and what events tell."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from uuid import UUID

from aioxen._fields import Fields

'''

DATACLASS = "@dataclass(slots=True, eq=False, repr=False)\n"

# A number of C's.
LITERAL = re.compile(r"(-?(?:0[xX][0-9a-fA-F]+|0|[1-9]\d*))[uUlL]*")

INVERSE = re.compile(r"~(0[xX][0-9a-fA-F]+|0|[1-9]\d*)[uUlL]*")

# What an extension's types stand on.
EXTENDED = "from aioxen.types import *\nfrom aioxen.types import _Words as _Words\n\n"

WORDS = '''class _Words(enum.IntEnum):
    """Numbers for C, words for people."""

    def __str__(self) -> str:
        return self.name.lower().removeprefix("_")
'''


def text(model: m.Model) -> str:
    names = Names(model)
    events = [e for e in model.events if e.name != "operation_complete"]
    classes = [
        *(camel(e.name or "") for e in names.own_enumerations),
        *names.own_structs.values(),
        *(camel(e.name) for e in events),
    ]
    base = model.base is None
    structs = [struct(names, s, name) for s, name in names.own_structs.items()]
    native = f"from {names.package}._native import lib\n\n" if any("= lib." in s for s in structs) else ""
    return "".join(
        [
            HEAD, IMPORTS, native, "" if base else EXTENDED,
            exported([*classes, "Event"] if base else classes),
            "\n\n" + WORDS if base else "",
            *("\n\n" + enumeration(e) for e in names.own_enumerations),
            *("\n\n" + s for s in structs),
            "\n\n" + EVENT if base else "",
            *("\n\n" + event_class(names, e) for e in events),
        ]
    )  # fmt: skip


def enumeration(kind: m.Enumeration) -> str:
    lines = [
        f"class {camel(kind.name or '')}(_Words):\n",
        docstring(kind.doc or f"libxl's {kind.name}."),
    ]
    for value in kind.values:
        lines.append(f"\n    {member(value)} = {value.value}\n")
        if value.doc:
            lines.append(docstring(value.doc))
    return "".join(lines)


def struct(names: Names, kind: m.Struct, name: str) -> str:
    doc = kind.doc or (f"libxl's {kind.name}." if kind.name else "A part of what holds it.")
    lines = [DATACLASS, f"class {name}(Fields):\n", docstring(doc)]
    if not kind.fields:
        lines.append("\n    pass\n")
    for f in members(kind):
        optional = kind.dir != m.DIR_OUT
        lines.append(f"\n    {f.name}: {names.annotation(f.enumeration or f.kind, optional)}")
        lines.append(f"{default(names, f, kind)}\n")
        if f.doc:
            lines.append(docstring(f.doc))
    return "".join(lines)


def default(names: Names, f: m.Field, owner: m.Struct) -> str:
    """What a field is if not given: only for what goes to C."""
    if owner.dir == m.DIR_OUT:
        return ""
    kind = f.enumeration or f.kind
    value = f.init_val or f.kind.init_val
    if isinstance(kind, m.Number):
        return f" = {number(f, value)}"
    if isinstance(kind, m.Enumeration):
        return f" = {enum_default(kind, value)}"
    if isinstance(kind, m.Struct):
        return f" = field(default_factory={names.annotation(kind)})"
    if isinstance(kind, m.Array):
        return " = field(default_factory=list)"
    return f" = {value == 'true'}" if kind.c_name == "bool" else " = None"


def number(f: m.Field, value: str | None) -> str:
    """An initial value: a number as Python writes it, a name as the C library has it."""
    if value is None:
        return "0"
    if found := LITERAL.fullmatch(value):
        return found[1]
    if (found := INVERSE.fullmatch(value)) and isinstance(f.kind, m.Number) and f.kind.range:
        return str(f.kind.range[1] - int(found[1], 0))
    if value.isidentifier():
        return f"lib.{value}"
    raise Mistake(f.place, f"{f.name}: init_val: a number or the name of one is expected, not {value!r}")


def enum_default(kind: m.Enumeration, value: str | None) -> str:
    """The member that C's initial value means."""
    for v in kind.values:
        if value in (v.c_name, str(v.value)):
            return f"{camel(kind.name or '')}.{member(v)}"
    zero = next((v for v in kind.values if v.value == 0), kind.values[0])
    return f"{camel(kind.name or '')}.{member(zero)}"


EVENT = f'''{DATACLASS}class Event(Fields):
    """Something that has happened to a domain."""

    domid: int
    """The domain's number."""

    uuid: UUID
    """The domain's identity; nil where it is not known."""
'''


def event_class(names: Names, event: m.Event) -> str:
    lines = [DATACLASS, f"class {camel(event.name)}(Event):\n", docstring(event.doc)]
    for f in event.fields:
        lines.append(f"\n    {f.name}: {names.annotation(f.enumeration or f.kind)}\n")
        lines.append(docstring(f.doc))
    return "".join(lines)
