# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _convert.py and _late_convert.py: the conversion of values to and from C, one function per struct
and direction. _late_convert.py has the functions of the late types (late.py), and is imported when one of
them is used.

X stands for the name of a struct. `put_X(c, value, path, keep)` fills *c. `path` names the value in errors.
The objects in `keep` must live as long as *c is used. `get_X(c)` reads *c. `get_X_list(c, n)` reads an array
of n elements. A flat struct contains numbers only, so Python's module struct reads it, or an array of it, in
one call.
"""

from __future__ import annotations

import re
from textwrap import dedent, indent

from gen import model as m
from gen.python.classes import enum_default
from gen.python.late import late
from gen.python.names import (
    BUILTINS,
    HEAD,
    LINE,
    Names,
    call,
    camel,
    exported,
    form,
    function,
    is_bool,
    is_domid,
    is_string,
    is_uuid,
    known,
    loses,
    member,
    members,
    sole_array,
)

DOC = '"""Conversion of values to and from C."""'
LATE_DOC = '"""Conversion to and from C of the classes of _late_types."""'
IMPORTS = f"""{DOC}

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aioxen import _values as v
from aioxen import types
from aioxen._values import CData, Keep

if TYPE_CHECKING:
    from uuid import UUID
"""

# The generated module of an extension imports the library's conversions, because the extension's conversions
# may call them.
EXTENDED = (
    "from aioxen._convert import *\nfrom aioxen._extend import register\n"
    "from aioxen._late_convert import *\nfrom {}._native import ffi\n"
)

LOADER = '''

if TYPE_CHECKING:
{typed}else:

    def __getattr__(name: str) -> object:
        """Imports the conversions of the late types when one of them is used first."""
        if name.startswith("__"):
            raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
        from aioxen import _late_convert

        globals().update((late, getattr(_late_convert, late)) for late in _late_convert.__all__)
        if name not in globals():
            raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
        return globals()[name]
'''

DEFINED = re.compile(r"^(?:def )?(\w+)(?:\(| = |: dict)", re.M)
"""A name that a generated module defines."""


def text(model: m.Model) -> str:
    convert = Converters(Names(model))
    names = convert.names
    made = convert.functions(model, False)
    if model.base is None or model.events:
        made += "\n\n" + convert.events(model)
    head = names.imports(imports(made), EXTENDED.format(names.package))
    late = sorted(word for word in DEFINED.findall(convert.functions(model, True)) if word[0] != "_")
    typed = "".join(f"    from aioxen._late_convert import {name} as {name}\n" for name in late)
    return HEAD + head + "\n" + made + (LOADER.format(typed=typed) if late else "")


def late_text(model: m.Model) -> str:
    """Returns _late_convert.py, or "" if no type is late."""
    convert = Converters(Names(model))
    if not (made := convert.functions(model, True)):
        return ""
    early = set(DEFINED.findall(convert.functions(model, False)))
    used = "".join(f"    {name},\n" for name in sorted(early & set(re.findall(r"\w+", made))))
    given = f"from aioxen._convert import (\n{used})\n" if used else ""
    names = [word for word in DEFINED.findall(made) if word[0] != "_"]
    head = imports(made).replace(DOC, LATE_DOC).replace("from aioxen._native", f"{given}from aioxen._native")
    return HEAD + head.replace("from collections.abc import Callable\n", "") + "\n" + exported(names) + made


def imports(made: str) -> str:
    """Returns the import lines of a module with these functions."""
    if "lib." not in made:
        return IMPORTS
    return IMPORTS.replace("from aioxen._values", "from aioxen._native import lib\nfrom aioxen._values")


def table(kind: m.Enumeration, later: bool) -> str:
    """Returns a table of an enumeration's members by value. For a value that this release does not know,
    the table gives the initial value. `later`: the class is made late, so the table is filled late."""
    if isinstance(kind, m.Flags):
        make = f"types.{camel(kind.name or '')}"
        make = f"lambda value: {make}(value)" if later else make
        return (
            f"_{kind.name} = v.FlagSets({make})\n\n\n"
            f"def take_{kind.name}(c: CData) -> types.{camel(kind.name or '')}:\n"
            f"    return _{kind.name}[c[0]]\n"
        )
    unknown = f", types.{enum_default(kind, kind.init_val)}" if kind.init_val else ""
    name, values = camel(kind.name or ""), f"_{kind.name}"
    made = f"v.Members(types.{name}{unknown})"
    made = call(f"{values} = v.LateMembers", [f"lambda: {made}"], 0) if later else f"{values} = {made}\n"
    return f"{made}\n\ndef take_{kind.name}(c: CData) -> types.{name}:\n    return {values}[c[0]]\n"


def flat_code(kind: m.Type) -> str:
    """Returns the type's format character for the module struct. Returns "" if the type has none."""
    if isinstance(kind, m.Enumeration):
        return "i"
    if is_domid(kind):
        return "I"
    if isinstance(kind, m.Number):
        code = {8: "b", 16: "h", 32: "i", 64: "q"}.get(kind.width or 0, "")
        return code if kind.signed else code.upper()
    return BUILTINS[kind.c_name][1] if kind.c_name in BUILTINS else ""


def flat_format(struct: m.Struct) -> str:
    """Returns the struct's format for the module struct. Returns "" if the struct contains pointers or
    structs, or is anonymous."""
    codes = ["" if f.const or not known(f.kind) else flat_code(f.kind) for f in struct.fields]
    return "@" + "".join(codes) if all(codes) and struct.name else ""


class Converters:
    """Generates the functions of each struct."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def functions(self, model: m.Model, later: bool) -> str:
        """Returns the tables and functions of the late types, or of the others."""
        names, chosen = self.names, set(late(self.names))
        used = {kind for s in names.own_structs for kind in m.walk(s)}
        used |= {f.enumeration for s in names.own_structs for f in s.fields if f.enumeration}
        enumerations = [e for e in names.enumerations if (e in chosen) == later]
        structs = {s: name for s, name in names.own_structs.items() if (s in chosen) == later}
        parts = [table(e, later) for e in enumerations if e in used or e in model.types]
        for struct, name in structs.items():
            parts += [self.put(struct, name), self.get(struct, name)]
        parts += [self.take_sole(s, a) for s in structs if s.name and (a := sole_array(s))]
        return "\n\n".join(parts)

    # To C

    def put(self, struct: m.Struct, name: str) -> str:
        body = [f"v.expect(value, types.{name}, path)\n"]
        if struct.name and struct.init_fn and loses(struct):
            body.append(f"lib.{struct.init_fn}(c)\n")
        for f in members(struct):
            body += self.put_field(f, name)
        return (
            function(f"put_{name}", put_parameters(name), "None")
            + indent("".join(body), "    ")
            + "".join(
                self.put_union(f, name, struct) for f in struct.fields if isinstance(f.type, m.KeyedUnion)
            )
        )

    def put_field(self, f: m.Field, owner: str) -> list[str]:
        if isinstance(f.kind, m.KeyedUnion):
            return [f"_put_{owner}_{f.name}(c, value, path, keep)\n"]
        if isinstance(f.kind, m.Struct):
            inner = self.names.structs[f.kind]
            # C initialises a struct that has fields which Python lacks. The initialisation needs the
            # struct's address.
            at = f'v.addressof(c, "{f.name}")' if f.kind.name and loses(f.kind) else f"c.{f.name}"
            return [f'put_{inner}({at}, value.{f.name}, path + ".{f.name}", keep)\n']
        return self.put_value(f, f'c, "{f.name}", value.{f.name}, path')

    def put_value(self, f: m.Field, at: str) -> list[str]:
        """Returns the lines that store a field that is neither a struct nor a union. `at` has the first
        arguments of the put function."""
        kind = f.kind
        if found := form(kind):
            return [dedent(call("v.put_form", [*at.split(", "), "keep", f"v.{found}_at"], 4))]
        if is_string(kind):
            return [dedent(call("v.put_string", [*at.split(", "), "keep"], 4))]
        if is_uuid(kind):
            return [f"v.put_uuid({at})\n"]
        if f.enumeration is not None:
            member_type = f"types.{camel(f.enumeration.name or '')}"
            return [dedent(call("v.put_enumeration", [*at.split(", "), member_type], 4))]
        if isinstance(kind, m.Array):
            arguments = [*at.split(", "), "keep", f'"{kind.lenvar.name}"', *self.element(kind)]
            return [dedent(call("v.put_array", arguments, 4))]
        return [f"v.{'put_bool' if is_bool(kind) else 'put'}({at})\n"]

    def element(self, array: m.Array) -> tuple[str, str]:
        """Returns the C type of the array, and the function that stores one element."""
        kind = array.element
        array_type = self.names.ctype(f"{kind.c_name}[]")
        if isinstance(kind, m.Struct):
            return array_type, f"put_{self.names.structs[kind]}"
        if isinstance(kind, m.Enumeration):
            return array_type, f"v.enumeration_at(types.{camel(kind.name or '')})"
        if found := form(kind):
            return array_type, f"v.{found}_at"
        for is_it, what in (is_string, "string_at"), (is_uuid, "uuid_at"), (is_bool, "bool_at"):
            if is_it(kind):
                return array_type, f"v.{what}"
        return array_type, "v.at"

    def put_union(self, f: m.Field, owner: str, holder: m.Struct) -> str:
        union = f.kind
        assert isinstance(union, m.KeyedUnion)
        key = camel(union.key.name or "")
        lines = [
            "\n\n" + function(f"_put_{owner}_{f.name}", put_parameters(owner), "None"),
            f'    arm, here = value.{f.name}, path + ".{f.name}"\n',
        ]
        for arm in union.fields:
            assert arm.value is not None
            if arm.type is None or not known(arm.type):
                continue
            lines.append(f"    if value.{union.keyvar.name} == types.{key}.{member(arm.value)}:\n")
            if holder.name and holder.init_fn and arm.type.name is None and loses(arm.type):
                init = f"lib.{holder.init_fn}_{union.keyvar.name}"
                lines.append(f"        {init}(c, value.{union.keyvar.name})\n")
            if isinstance(arm.type, m.Struct):
                inner = self.names.structs[arm.type]
                given = f"v.expected(arm, types.{inner}, here)"
                lines.append(call(f"put_{inner}", [f"c.{f.name}.{arm.name}", given, "here", "keep"], 8))
            else:
                put = self.put_value(arm, f'c.{f.name}, "{arm.name}", arm, here')
                lines += [f"        {line}" for line in put]
            lines.append("        return\n")
        lines += ["    v.expect(arm, type(None), here)\n"]
        return "".join(lines)

    # From C

    def get(self, struct: m.Struct, name: str) -> str:
        code = flat_format(struct)
        return self.get_flat(struct, name, code) if code else self.get_by_field(struct, name)

    def get_flat(self, struct: m.Struct, name: str, code: str) -> str:
        variables = [f.name for f in struct.fields]
        values = [self.flat_value(f, struct.dir == m.DIR_OUT) for f in struct.fields]
        if values == variables:
            made = f"    return [types.{name}(*fields) for fields in _{name}.unpack(c, n)]\n"
        else:
            unpacked = "\n" + listed(variables, 12) + "        " if len(variables) > 1 else f"{variables[0]},"
            made = (
                f"    return [\n        types.{name}(\n" + listed(values, 12) + "        )\n"
                f"        for ({unpacked}) in _{name}.unpack(c, n)\n    ]\n"
            )
        return (
            f'_{name} = v.Flat({self.names.ctype(struct.c_name)}, "{code}")\n\n\n'
            f"def get_{name}_list(c: CData, n: int) -> list[types.{name}]:\n{made}\n\n"
            f"def get_{name}(c: CData) -> types.{name}:\n"
            f"    return get_{name}_list(c, 1)[0]\n"
        )

    def flat_value(self, f: m.Field, out: bool) -> str:
        if is_uuid(f.kind):
            return f"v.uuid_of({f.name})" if out else f"v.optional_uuid_of({f.name})"
        return f"_{f.enumeration.name}[{f.name}]" if f.enumeration else f.name

    def get_by_field(self, struct: m.Struct, name: str) -> str:
        values = [
            self.got(f.enumeration or f.kind, f"c.{f.name}", struct.dir == m.DIR_OUT, f, name)
            for f in members(struct)
        ]
        return (
            f"def get_{name}(c: CData) -> types.{name}:\n"
            f"    return types.{name}(\n" + listed(values, 8) + "    )\n\n\n"
            f"def get_{name}_list(c: CData, n: int) -> list[types.{name}]:\n"
            f"    return [get_{name}(c + i) for i in range(n)]\n"
            + "".join(self.get_union(f, name) for f in struct.fields if isinstance(f.type, m.KeyedUnion))
        )

    def got(self, kind: m.Type, at: str, out: bool, f: m.Field, owner: str) -> str:
        """Returns the Python expression that converts the C value `at`."""
        if found := form(kind):
            return f"v.get_{found}({address_of(at)})"
        if is_string(kind):
            return f"v.get_string({at})" if out else f"v.get_optional_string({at})"
        if is_uuid(kind):
            return f"v.uuid_of({at}.uuid)" if out else f"v.optional_uuid_of({at}.uuid)"
        if isinstance(kind, m.Enumeration):
            return f"_{kind.name}[{at}]"
        if isinstance(kind, m.Array):
            return self.got_list(kind, at.rpartition(".")[0], f.name)
        if isinstance(kind, m.KeyedUnion):
            return f"_get_{owner}_{f.name}(c)"
        if isinstance(kind, m.Struct):
            return f"get_{self.names.structs[kind]}(v.addressof({at}))"
        return at

    def got_list(self, array: m.Array, owner: str, name: str) -> str:
        kind, at = array.element, f"{owner}.{name}"
        count = f"v.count({at}, {owner}.{array.lenvar.name})"
        if isinstance(kind, m.Struct):
            return f"get_{self.names.structs[kind]}_list({at}, {count})"
        one = self.got(kind, f"{at}[i]", True, array.lenvar, "")
        return f"[{one} for i in range({count})]" if at != "c" else one

    def take_sole(self, struct: m.Struct, array: m.Array) -> str:
        """Returns the function that reads a result whose only field is an array."""
        f = struct.fields[0]
        return (
            f"def take_{struct.name}(c: CData) -> {self.typed(array)}:\n"
            f"    return {self.got_list(array, 'c', f.name)}\n"
        )

    def typed(self, kind: m.Type) -> str:
        if isinstance(kind, m.Array):
            return f"list[{self.typed(kind.element)}]"
        named = isinstance(kind, (m.Struct, m.Enumeration))
        return ("types." if named else "") + self.names.annotation(kind)

    def get_union(self, f: m.Field, owner: str) -> str:
        union = f.kind
        assert isinstance(union, m.KeyedUnion)
        arms = [a for a in union.fields if a.type is not None and known(a.type)]
        kinds = [self.typed(a.kind) + " | None" * is_string(a.kind) for a in arms]
        words = [word for kind in kinds for word in kind.split(" | ") if word != "None"]
        returned = " | ".join([*dict.fromkeys(words), "None"])
        lines = ["\n\n" + function(f"_get_{owner}_{f.name}", ["c: CData"], returned)]
        for arm in arms:
            assert arm.value is not None
            got = self.got(arm.kind, f"c.{f.name}.{arm.name}", False, arm, owner)
            lines.append(f"    if c.{union.keyvar.name} == {arm.value.value}:\n")
            lines.append(f"        return {got}\n")
        return "".join([*lines, "    return None\n"])

    # Events

    def events(self, model: m.Model) -> str:
        """Returns the functions that make Python events from records. Such a function reads the value in
        the record, or the whole libxl_event."""
        reported = [e for e in model.events if e.name != "operation_complete"]
        functions = [self.event(e) for e in reported]
        rows = [f"{e.number}: _{e.name}" for e in reported]
        kind = "Callable[[int, UUID, int, CData], types.Event]"
        name = "EVENTS" if model.base is None else "_EVENTS"
        table = f"\n\n{name}: dict[int, {kind}] = {{\n" + listed(rows, 4) + "}\n"
        joined = "" if model.base is None else 'register(EVENTS, _EVENTS, "event")\n'
        return "\n\n".join(functions) + table + joined

    def event(self, event: m.Event) -> str:
        name = camel(event.name)
        flat = len(event.fields) == 1  # If an event's only field is a number, the record's value holds it.
        values = ["domid", "uuid"]
        values += [self.event_value(f, f"whole.u.{event.name}.{f.name}", flat) for f in event.fields]
        parameters = ["domid: int", "uuid: UUID", "value: int", "whole: CData"]
        return function(f"_{event.name}", parameters, f"types.{name}") + call(
            f"return types.{name}", values, 4
        )

    def event_value(self, f: m.Field, at: str, flat: bool) -> str:
        number = isinstance(f.kind, m.Number) or f.enumeration is not None
        at = f"({at} if whole else value)" if flat and number else at
        return self.got(f.enumeration or f.kind, at, True, f, "")


def address_of(at: str) -> str:
    """Returns the expression for the address of `c.field` or `c.field[i]`."""
    if at.endswith("[i]"):
        return f"{at.removesuffix('[i]')} + i"
    owner, _, name = at.rpartition(".")
    return f'v.addressof({owner}, "{name}")'


def put_parameters(name: str) -> list[str]:
    return ["c: CData", f"value: types.{name}", "path: str", "keep: Keep"]


def listed(items: list[str], margin: int) -> str:
    """Returns the items, one on each line. Breaks a long comprehension into lines as ruff does."""
    space = " " * margin
    return "".join(
        f"{space}{item},\n" if len(space + item) < LINE else f"{space}{broken(item, margin)},\n"
        for item in items
    )


def broken(comprehension: str, margin: int) -> str:
    value, found, rest = comprehension[1:-1].partition(" for ")
    if not found:
        return comprehension
    space = " " * margin
    return f"[\n{space}    {value}\n{space}    for {rest}\n{space}]"
