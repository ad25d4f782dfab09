# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the functions that read values of C: get_X(c) and get_X_list(c, n) of each struct, take_X(c) of each
result that is an array or an enumeration, and the functions that make events from records."""

from __future__ import annotations

from gen import model as m
from gen.python.classes import enum_default
from gen.python.names import (
    BUILTINS,
    LINE,
    Names,
    call,
    camel,
    form,
    function,
    is_domid,
    is_string,
    is_uuid,
    known,
    members,
)


def table(kind: m.Enumeration, later: bool) -> str:
    """Returns a table of an enumeration's members by value. For a value that this release does not know, the
    table gives the initial value. `later`: the class is made when it is used first, so the table is filled
    then."""
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


class FromC:
    """Generates the get functions of each struct, and the functions that make events."""

    def __init__(self, names: Names) -> None:
        self.names = names

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
