# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes src/_libxl_types_json.c. The code in src/json reads and writes each struct by the tables in
this file."""

from __future__ import annotations

import sys

from gen import c, c_deprecated
from gen import model as m
from gen.c_types import enumeration_heads, error_enumeration, init_key_name, struct_heads
from gen.json_forms import Form, form, members, structs

HEADER = """\
The tables of the structs, for src/json and for structs that hold them.

Of a type that is written by hand, these are too: they return 0, NOMEM or INVAL. So is what says whether a
value is the one to leave out (check_default_fn)."""


def outputs(model: m.Model) -> dict[str, str]:
    if model.base and not model.types:
        return {}
    stem = f"src/_{model.name}_types_json"
    return {f"{stem}.h": header(model), f"{stem}.c": source(model)}


def table_name(kind: m.Struct) -> str:
    return f"{kind.namespace}_json_of_{kind.name}"


def by_hand(model: m.Model) -> list[m.Type]:
    """Returns the types whose functions for JSON are written by hand, if a struct has a field of the type."""
    used = {t: None for s in structs(model) for t in m.walk(s)}
    return [t for t in model.whole.types if t in used and form(t) is Form.BY_HAND]


def write_function(kind: m.Type) -> str:
    return kind.jsonc_json_gen_fn or kind.json_gen_fn or f"{kind.namespace}_{kind.name}_gen_json"


def read_function(kind: m.Type) -> str:
    return kind.json_parse_fn or f"{kind.namespace}_{kind.name}_parse_json"


def with_defaults(model: m.Model) -> list[m.Type]:
    """Returns the types of fields that have a check_default_fn."""
    found: dict[m.Type, None] = {}
    holders: list[m.Aggregate] = [*structs(model)]
    for holder in holders:
        kinds = [f.kind for f, _ in members(holder)]
        found |= {kind: None for kind in kinds if kind.check_default_fn}
        holders += [k for k in kinds if isinstance(k, m.Aggregate) and k.name is None]
    return list(found)


def header(model: m.Model) -> str:
    parts = ['#include "json_table.h"\n']
    if model.base:
        parts = [f'#include "_libxl_types_json.h"\n#include "_{model.name}_types.h"\n']
    heads = []
    for kind in (t for t in by_hand(model) if t in model.types):
        name = kind.c_name
        heads.append(
            c.prototype("int", write_function(kind), [f"const {name} *p", "json_object **out"]) + ";\n"
        )
        heads.append(
            c.prototype("int", read_function(kind), ["libxl_ctx *ctx", f"{name} *p", "json_object *in"])
            + ";\n"
        )
    for kind in with_defaults(model):
        heads.append(c.prototype("bool", kind.check_default_fn or "", [f"const {kind.c_name} *p"]) + ";\n")
    heads += [c_deprecated.head(s) + ";\n" for s in model.structs if s.copy_deprecated_fn]
    if heads:
        parts.append("".join(dict.fromkeys(heads)))
    parts.append("".join(f"extern const libxl__json_type {table_name(s)};\n" for s in structs(model)))
    return c.banner(HEADER) + c.guarded(f"{model.name}__TYPES_JSON_H", "\n".join(parts))


def source(model: m.Model) -> str:
    parts = [c.banner("The structs' forms in JSON."), f'#include "_{model.name}_types_json.h"\n']
    used = {t: None for s in structs(model) for t in m.walk(s)}
    own = enumerations(model)
    in_words = [t for t in model.whole.enumerations if t in used or t in own]
    in_words += [t for t in own if t not in in_words]
    macros = [use("LIBXL__JSON_WORDS_OF", t.c_name, f'"{t.name}"') for t in in_words]
    for kind in by_hand(model):
        given = [kind.c_name, f'"{kind.name}"', write_function(kind), read_function(kind)]
        macros.append(use("LIBXL__JSON_BUILTIN_OF", *given))
    for kind in with_defaults(model):
        macros.append(use("LIBXL__JSON_DEFAULT_OF", kind.c_name, kind.check_default_fn or ""))
    macros = list(dict.fromkeys(macros))
    if macros:
        parts.append("".join(macros))
    parts += [functions_of_words(kind) for kind in own]
    parts += [part for kind in structs(model) for part in Tables(kind).parts()]
    deprecated = [c_deprecated.function(s) for s in model.structs if s.copy_deprecated_fn]
    if deprecated:
        parts[1] = parts[1].rstrip("\n") + '\n\n#include <stdio.h>\n#include <string.h>\n\n#include "log.h"\n'
        parts += [c.section("deprecated fields"), c_deprecated.BOTH_GIVEN, *deprecated]
    return "\n".join(parts)


def enumerations(model: m.Model) -> list[m.Enumeration]:
    """Returns the enumerations that have functions for JSON, including that of the errors."""
    errors = [error_enumeration(model)] if model.errors else []
    return errors + [kind for kind in model.enumerations if not isinstance(kind, m.Flags)]


def functions_of_words(kind: m.Enumeration) -> str:
    name, heads = kind.c_name, enumeration_heads(kind)
    read = (
        f"int value;\nint rc = libxl__json_read_word(&{name}_json_words, &value, json);\n(void)ctx;\n"
        f"if (!rc)\n    *out = ({name})value;\nreturn rc;\n"
    )
    return "\n".join(
        [
            c.function(
                heads["to_json"],
                f"(void)ctx;\nreturn libxl__json_write_word(&{name}_json_words, (int)value);\n",
            ),
            c.function(heads["from_json"], read),
        ]
    )


def use(macro: str, *arguments: str) -> str:
    return c.call(macro, arguments, 0) + ";\n"


class Tables:
    """The tables of one struct. The tables of the struct's anonymous members and union arms come first."""

    def __init__(self, kind: m.Struct) -> None:
        self.kind = kind
        self.macros: list[str] = []
        self.tables: list[str] = []

    def parts(self) -> list[str]:
        kind, name = self.kind, self.kind.c_name
        fields = self.table(kind, "")
        about = [f".size = sizeof({name})"]
        if kind.init_fn:
            self.macros.append(use("LIBXL__JSON_INIT_OF", name, kind.init_fn))
            about.append(f".init = {name}_json_init")
        if kind.dispose_fn:
            self.macros.append(use("LIBXL__JSON_DISPOSE_OF", name, kind.dispose_fn))
            about.append(f".dispose = {name}_json_dispose")
        about.append(f".fields = {fields}")
        heads = struct_heads(kind)
        table = table_name(kind)
        return [
            c.section(kind.name or ""),
            *(["".join(self.macros)] if self.macros else []),
            *self.tables,
            f"const libxl__json_type {table} = {{\n" + "".join(f"    {a},\n" for a in about) + "};\n",
            c.function(heads["to_json"], f"(void)ctx;\nreturn libxl__json_write(&{table}, p);\n"),
            c.function(heads["to_json_all"], f"(void)ctx;\nreturn libxl__json_write_all(&{table}, p);\n"),
            c.function(heads["from_json"], f"return libxl__json_read(ctx, &{table}, p, json);\n"),
        ]

    def table(self, kind: m.Aggregate, path: str) -> str:
        """Defines the table of the fields below `path`. Returns the table's name."""
        rows = [self.row(f, found, path) for f, found in members(kind)]
        return self.define("_".join([self.kind.c_name, *path.split(".")[:-1], "fields"]), rows)

    def define(self, name: str, rows: list[list[str]]) -> str:
        text = "".join(f"    {braced(row, 4)},\n" for row in [*rows, [".name = NULL"]])
        self.tables.append(f"static const libxl__json_field {name}[] = {{\n{text}}};\n")
        return name

    def row(self, f: m.Field, found: Form, path: str) -> list[str]:
        kind, here = f.kind, f"{path}{f.name}"
        owner = self.kind.c_name
        if isinstance(kind, m.KeyedUnion):
            return self.union_row(kind, path, here)
        row = [f'.name = "{f.name}"']
        if isinstance(kind, m.Struct) and found is Form.GROUP:
            return [*row, ".kind = LIBXL__JSON_GROUP", f".fields = {self.table(kind, here + '.')}"]
        if isinstance(kind, m.Array):
            row.append(f"LIBXL__JSON_ARRAY_AT({owner}, {here}, {path}{kind.lenvar.name})")
            kind = kind.element
        else:
            row.append(f"LIBXL__JSON_AT({owner}, {here})")
        row.append(of_kind(kind, found))
        if kind is f.kind and kind.check_default_fn:
            row.append(f".is_default = {kind.c_name}_json_is_default")
        if f.min is not None or f.max is not None:
            macro = "LIMITS" if found is Form.DOUBLE and not isinstance(f.kind, m.Array) else "BOUNDS"
            row.append(f"LIBXL__JSON_{macro}({', '.join(bounds(f))})")
        if found is Form.STRING and self.kind.dir == m.DIR_OUT:
            row.append(".empty_is_none = true")
        if f.unsupported:
            row.append(".unsupported = true")
        return row

    def union_row(self, union: m.KeyedUnion, beside: str, path: str) -> list[str]:
        key = union.keyvar
        arms: list[list[str]] = []
        for f, found in members(union):
            assert f.value is not None
            arms.append([*self.row(f, found, f"{path}."), f".value = {f.value.c_name}"])
        name = "_".join([self.kind.c_name, *path.split("."), "arms"])
        init = init_key_name(self.kind, path, key)
        self.macros.append(use("LIBXL__JSON_KEY_OF", init, key.kind.c_name))
        return [
            f'.name = "{key.name}"',
            ".kind = LIBXL__JSON_UNION",
            f"LIBXL__JSON_AT({self.kind.c_name}, {beside}{key.name})",
            f".words = &{key.kind.c_name}_json_words",
            f".fields = {self.define(name, arms)}",
            f".init_key = {init}_json",
        ]


def of_kind(kind: m.Type, found: Form) -> str:
    """Returns the part of a row that gives the field's type."""
    if isinstance(kind, m.Struct) and found is Form.STRUCT:
        return f"LIBXL__JSON_A_STRUCT({table_name(kind)})"
    word = {Form.WORD: "WORD", Form.FLAGS: "FLAGS", Form.BY_HAND: "BUILTIN", Form.NUMBER: "NUMBER"}.get(found)
    return f"LIBXL__JSON_A_{word}({kind.c_name})" if word else f".kind = LIBXL__JSON_{found.value}"


def bounds(f: m.Field) -> tuple[str, str]:
    """Returns the least and the greatest value in C. If the IDL gives no bound, the bound of the type
    is used."""
    kind = f.kind.element if isinstance(f.kind, m.Array) else f.kind
    if isinstance(f.kind, m.Float):
        most = sys.float_info.max
        return repr(float(-most if f.min is None else f.min)), repr(float(most if f.max is None else f.max))
    least, greatest = (0, (1 << 31) - 1) if isinstance(f.kind, m.Array) else (None, None)
    if least is None and isinstance(kind, m.Number):
        least, greatest = kind.range or (0, (1 << 64) - 1)
    low = least if f.min is None else f.min
    high = greatest if f.max is None else f.max
    assert low is not None and high is not None
    return constant(int(low)), constant(int(high))


def constant(value: int) -> str:
    if value == -(1 << 63):
        return "INT64_MIN"
    return f"{value}ull" if value >= 1 << 63 else f"{value}ll" if abs(value) >= 1 << 31 else str(value)


def braced(parts: list[str], indent: int) -> str:
    """Returns `{parts}`. Breaks a line that would be too long. The next line begins in the column after the
    brace."""
    lines = ["{"]
    for number, part in enumerate(parts, 1):
        piece = part + ("}" if number == len(parts) else ",")
        if number > 1 and indent + len(lines[-1]) + len(piece) + 2 > c.WIDTH:
            lines.append(" " * (indent + 1) + piece)
        else:
            lines[-1] += (" " if number > 1 else "") + piece
    return "\n".join(lines)
