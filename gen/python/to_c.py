# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the functions that store values of Python in C. put_X(c, value, path, keep) stores one struct
(convert.py explains the parameters)."""

from __future__ import annotations

from textwrap import dedent, indent

from gen import model as m
from gen.python.names import (
    Names,
    call,
    camel,
    form,
    function,
    is_bool,
    is_string,
    is_uuid,
    known,
    loses,
    member,
    members,
)


class ToC:
    """Generates the put functions of each struct."""

    def __init__(self, names: Names) -> None:
        self.names = names

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


def put_parameters(name: str) -> list[str]:
    return ["c: CData", f"value: types.{name}", "path: str", "keep: Keep"]
