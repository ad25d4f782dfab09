# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes types.py, _result_types.py and _late_types.py: enumerations, dataclasses and events."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gen import model as m
from gen.check_attributes import FRACTION
from gen.model import Mistake
from gen.python.late import CONFIGURED, EARLY, LATE, RESULT, Kind, class_name, own, stages
from gen.python.names import (
    FORMS,
    HEAD,
    Names,
    camel,
    docstring,
    exported,
    form,
    function,
    member,
    members,
    tuple_named,
)

DOC = "The inputs and results of operations, and the events."
LATE_DOCS = {
    RESULT: "The classes of aioxen.types that are inputs and results of operations, and their parts.",
    CONFIGURED: "The classes of aioxen.types that belong to a domain's configuration.",
}

IMPORTS = f'''"""{DOC}"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from aioxen._fields import Fields, words

if TYPE_CHECKING:
    from uuid import UUID

'''

LOADER = '''

if TYPE_CHECKING:
{typed}else:
    _LATE = {{
{names}    }}

    def __getattr__(name: str) -> object:
        """Makes the classes of one of the late modules when one of them is used first."""
        for module, late in _LATE.items():
            if name in late:
                made = import_module(f"aioxen.{{module}}")
                globals().update({{late_name: getattr(made, late_name) for late_name in late}})
                return globals()[name]
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
'''

# The form of an integer constant in C.
LITERAL = re.compile(r"(-?(?:0[xX][0-9a-fA-F]+|0|[1-9]\d*))[uUlL]*")

INVERSE = re.compile(r"~(0[xX][0-9a-fA-F]+|0|[1-9]\d*)[uUlL]*")

# The generated module of an extension imports the library's types, because the extension's types may
# refer to them.
EXTENDED = "from aioxen.types import *\n\n"


def text(model: m.Model) -> str:
    names = Names(model)
    events = [e for e in model.events if e.name != "operation_complete"]
    classes = [
        *(camel(e.name or "") for e in names.own_enumerations),
        *names.own_structs.values(),
        *(camel(e.name) for e in events),
    ]
    base = model.base is None
    made = made_classes(names, of_stage(names, EARLY))
    end = loader(names) if of_stage(names, *LATE) else ""
    head = imports(names, made)
    if end:
        head = head.replace("import enum\n", "import enum\nfrom importlib import import_module\n")
    return "".join(
        [
            head, "" if base else EXTENDED,
            exported([*classes, "Event"] if base else classes), made,
            "\n\n" + fields_class("Event", "Fields", EVENT_DOC, [], EVENT) if base else "",
            *("\n\n" + event_class(names, e) for e in events),
            end,
        ]
    )  # fmt: skip


def of_stage(names: Names, *chosen: str) -> list[Kind]:
    """Returns the types of the given stages, in the order of the IDL."""
    return [kind for kind, stage in stages(names).items() if stage in chosen]


def late_text(model: m.Model, stage: str) -> str:
    """Returns the module of a stage's classes, or "" if the stage has no types."""
    names = Names(model)
    if not (kinds := of_stage(names, stage)):
        return ""
    made = made_classes(names, kinds)
    words = set(re.findall(r"\w+", made))
    others = [class_name(names, kind) for kind in own(names) if kind not in kinds]
    used = "".join(f"    {name},\n" for name in sorted(words & set(others)))
    given = f"from aioxen.types import (\n{used})\n\n" if used else ""
    head = imports(names, made).replace(DOC, LATE_DOCS[stage])
    return head + given + exported([class_name(names, kind) for kind in kinds]) + made


def imports(names: Names, made: str) -> str:
    """Returns the beginning of a module with these classes."""
    base = IMPORTS.replace("Fields, words", "Fields, flag_words, words") if "flag_words" in made else IMPORTS
    native = f"from {names.package}._native import lib\n\n" if "= lib." in made else ""
    return HEAD + base + native


def made_classes(names: Names, kinds: list[Kind]) -> str:
    return "".join(
        "\n\n" + (struct(names, k, names.structs[k]) if isinstance(k, m.Struct) else enumeration(k))
        for k in kinds
    )


def loader(names: Names) -> str:
    """Returns the end of types.py, which makes the late classes when they are used first."""
    typed, tables = [], []
    for stage in LATE:
        later = sorted(class_name(names, kind) for kind in of_stage(names, stage))
        typed += [f"    from aioxen.{stage}_types import {name} as {name}\n" for name in later]
        tables += [
            f'        "{stage}_types": {{\n',
            *(f'            "{name}",\n' for name in later),
            "        },\n",
        ]
    return LOADER.format(typed="".join(sorted(typed)), names="".join(tables))


def enumeration(kind: m.Enumeration) -> str:
    lines = [
        f"class {camel(kind.name or '')}(enum.{'IntFlag' if isinstance(kind, m.Flags) else 'IntEnum'}):\n",
        docstring(kind.doc or f"libxl's {kind.name}."),
        f"\n    __str__ = {'flag_words' if isinstance(kind, m.Flags) else 'words'}\n",
    ]
    if isinstance(kind, m.Flags):  # stubtest fails at a default value without a name.
        lines.append('\n    NONE = 0\n    """No flag."""\n')
    for value in kind.values:
        lines.append(f"\n    {member(value)} = {value.value}\n")
        if value.doc:
            lines.append(docstring(value.doc))
    return "".join(lines)


@dataclass(frozen=True)
class Row:
    """A field of a class. `default` is a constant. `new` is an expression that makes a new value for each
    object."""

    name: str
    kind: str
    doc: str
    default: str = ""
    new: str = ""

    @property
    def parameter(self) -> str:
        if self.new:
            return f"{self.name}: {self.kind} | None = None"
        return f"{self.name}: {self.kind}" + (f" = {self.default}" if self.default else "")

    @property
    def assignment(self) -> str:
        value = f"{self.new} if {self.name} is None else {self.name}" if self.new else self.name
        return f"        self.{self.name} = {value}\n"


def fields_class(name: str, base: str, doc: str, inherited: list[Row], own: list[Row]) -> str:
    """Returns a class that behaves like a dataclass. Its methods are written out, because dataclass() would
    compile them at each import."""
    head = f"class {name}({base}):\n{docstring(doc)}\n"
    if not own:
        return head + "    __slots__ = ()\n"
    rows = [*inherited, *own]
    tables = {"__slots__": own, "__match_args__": rows} if inherited else {"__slots__ = __match_args__": own}
    tables_text = [tuple_named(table, [r.name for r in of], 4) for table, of in tables.items()]
    fields = [f"\n    {r.name}: {r.kind}\n" + (docstring(r.doc) if r.doc else "") for r in own]
    made = function("__init__", ["self", *(r.parameter for r in rows)], "None", 4)
    return "".join([head, *tables_text, *fields, "\n", made, *(r.assignment for r in rows)])


def struct(names: Names, kind: m.Struct, name: str) -> str:
    doc = kind.doc or (f"libxl's {kind.name}." if kind.name else "A part of the struct that contains it.")
    rows = [row(names, f, kind.dir != m.DIR_OUT) for f in members(kind)]
    return fields_class(name, "Fields", doc, [], rows)


def row(names: Names, f: m.Field, given: bool) -> Row:
    """Returns the row of a field. `given`: the struct can be an input, so its fields have defaults."""
    kind = f.enumeration or f.kind
    annotation = names.annotation(kind, given)
    if given and isinstance(kind, (m.Struct, m.Array)):
        new = "[]" if isinstance(kind, m.Array) else f"{annotation}()"
        return Row(f.name, annotation, f.doc, new=new)
    if given and (found := form(kind)):
        value = FORMS[found][1]
        fresh = found in ("bits", "strings", "pairs")
        return Row(f.name, annotation, f.doc, *(("", value) if fresh else (value,)))
    value = default(f, kind) if given else ""
    if value == f"{annotation}(0)":  # stubtest cannot compare a default that is an empty set.
        return Row(f.name, annotation, f.doc, new=value)
    return Row(f.name, annotation, f.doc, value)


def default(f: m.Field, kind: m.Type) -> str:
    value = f.init_val or f.kind.init_val
    if isinstance(kind, m.Float):
        return repr(float(value or 0)) if FRACTION.fullmatch(value or "0") else f"lib.{value}"
    if isinstance(kind, m.Flags):
        return flags_default(kind, value)
    if isinstance(kind, m.Number):
        return number(f, value)
    if isinstance(kind, m.Enumeration):
        return enum_default(kind, value)
    return str(value in ("true", "1")) if kind.c_name == "bool" else "None"


def number(f: m.Field, value: str | None) -> str:
    """Returns the Python text of an initial value. The text is a number, or the name of a constant of the
    C library."""
    if value is None:
        return "0"
    if found := LITERAL.fullmatch(value):
        return found[1]
    if (found := INVERSE.fullmatch(value)) and isinstance(f.kind, m.Number) and f.kind.range:
        return str(f.kind.range[1] - int(found[1], 0))
    if value.isidentifier():
        return f"lib.{value}"
    raise Mistake(f.place, f"{f.name}: init_val: a number or a constant is expected, not {value!r}")


def flags_default(kind: m.Flags, value: str | None) -> str:
    """Returns the Python text of a set of flags. `value` is the initial value in C, such as `A | B`."""
    name = camel(kind.name or "")
    named = {v.c_name: f"{name}.{member(v)}" for v in kind.values}
    parts = [named[part.strip()] for part in (value or "0").split("|") if part.strip() in named]
    return " | ".join(parts) or f"{name}.NONE"


def enum_default(kind: m.Enumeration, value: str | None) -> str:
    """Returns the member that stands for the initial value in C."""
    for v in kind.values:
        if value in (v.c_name, str(v.value)):
            return f"{camel(kind.name or '')}.{member(v)}"
    zero = next((v for v in kind.values if v.value == 0), kind.values[0])
    return f"{camel(kind.name or '')}.{member(zero)}"


EVENT_DOC = "Something that happened to a domain."
EVENT = [
    Row("domid", "int", "The domid."),
    Row("uuid", "UUID", "The domain's UUID; nil if it is not known."),
]


def event_class(names: Names, event: m.Event) -> str:
    rows = [row(names, f, False) for f in event.fields]
    return fields_class(camel(event.name), "Event", event.doc, EVENT, rows)
