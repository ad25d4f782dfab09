# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes include/_libxl_types.h: errors, enumerations and structs, and the functions of each type."""

from __future__ import annotations

from gen import c
from gen import model as m
from gen.extension import has_types
from gen.json_forms import Form, form

FUNCTIONS = """The functions of every type. None of them takes a lock; any thread may call them.

T_init sets the initial values. Call it before anything else is done with the value.
T_init_<key> selects the member of the type's union and sets that member's initial values.
T_dispose frees what the value owns and sets it to zero. NULL is allowed; a second call does nothing.
T_copy overwrites *dst, which is not disposed of first. If memory runs out, *dst is as T_init leaves it and \
errno is ENOMEM. Otherwise errno is unchanged.
T_to_json returns the value as JSON, without members that are as T_init leaves them. The caller frees it \
with free(). NULL: memory has run out, or the value is invalid.
T_to_json_all does the same with all members.
T_from_json overwrites *p, which is not disposed of first. It reads at most 16 MiB and 64 levels. It returns \
0, or ERROR_INVAL or ERROR_NOMEM and *p is as T_init leaves it.
After an error of these two, libxl_error_message names the path of the fault (disks[2].format).
An array is empty if it is NULL or its length is not above 0, for all of these functions.
T_to_string returns a value's word in lower case, a constant, or NULL for an unknown value.
T_from_string reads that word in any case. It returns 0, or ERROR_INVAL and *out is unchanged.
For an enumeration, T_to_json and T_from_json write and read the word as a JSON string. \
After an error *out is unchanged."""


def outputs(model: m.Model) -> dict[str, str]:
    if model.base and not has_types(model):
        return {}
    parts = [c.comment(FUNCTIONS)] if model.types else []
    if model.base and model.events:
        parts.insert(0, events(model))
    if model.errors:
        parts.insert(0, errors(model))
    for kind in model.types:
        if isinstance(kind, m.Enumeration):
            parts.append(enumeration(kind))
        elif isinstance(kind, m.Aggregate):
            parts.append(aggregate(kind))
    if model.base:
        parts.insert(0, "#include <libxl.h>\n")
    text = c.banner("The types that operations take and give." + c.included(model))
    return {f"include/_{model.name}_types.h": text + c.guarded(f"{model.name}__TYPES_H", "\n".join(parts))}


def errors(model: m.Model) -> str:
    values = [(f"    {e.c_name} = {e.value},", e.doc) for e in model.errors]
    return (
        c.comment("What can go wrong. Every call that can fail returns 0 or one of these.")
        + f"typedef enum {model.name}_error {{\n"
        + c.with_comments(values)
        + f"}} {model.name}_error;\n\n"
        + c.comment('The name of an error without its prefix ("DOMAIN_NOTFOUND"), or NULL; a constant.')
        + f"const char *{model.name}_error_name(int rc);\n\n"
        + c.comment("What an error means, in one line, or NULL; a constant.")
        + f"const char *{model.name}_error_describe(int rc);\n"
        + "".join(f"{head};\n" for head in enumeration_heads(error_enumeration(model)).values())
    )


def events(model: m.Model) -> str:
    """Returns the numbers of an extension's events. A program receives such an event as a libxl_event."""
    stem = f"{model.name}_event_type"
    values: list[c.Line] = []
    for e in model.events:
        values.append((f"    {stem.upper()}_{e.name.upper()} = {e.number},", c.one_line(e.doc)))
        values += [
            (f"    {stem.upper()}_{alias.upper()} = {e.number},", "Another name of it.")
            for alias in e.aliases
        ]
    return (
        c.comment("The types of the events. A libxl_event of such a type has no arm of u.")
        + f"typedef enum {stem} {{\n{c.with_comments(values)}}} {stem};\n"
    )


def description(kind: m.Type) -> str:
    return c.comment(kind.doc) if kind.doc else ""


def enumeration(kind: m.Enumeration) -> str:
    name = kind.c_name
    lines: list[c.Line] = []
    for v in kind.values:
        lines.append((f"    {v.c_name} = {v.value},", v.doc))
        lines += [(f"    {alias} = {v.value},", "Another name of it.") for alias in v.aliases]
    text = f"{description(kind)}typedef enum {name} {{\n{c.with_comments(lines)}}} {name};\n\n"
    for head in enumeration_heads(kind).values():
        text += hidden(kind) + head + ";\n"
    return text


def enumeration_heads(kind: m.Enumeration) -> dict[str, str]:
    """Returns the heads of an enumeration's functions. A set of flags is an array in JSON, so a single value
    has no functions for JSON."""
    name = kind.c_name
    heads = {
        "to_string": c.prototype("const char *", f"{name}_to_string", [f"{name} value"]),
        "from_string": c.prototype("int", f"{name}_from_string", ["const char *text", f"{name} *out"]),
    }
    if not isinstance(kind, m.Flags):
        heads["to_json"] = c.prototype("char *", f"{name}_to_json", ["libxl_ctx *ctx", f"{name} value"])
        heads["from_json"] = c.prototype(
            "int", f"{name}_from_json", ["libxl_ctx *ctx", f"{name} *out", "const char *json"]
        )
    return heads


def error_heads(model: m.Model) -> dict[str, str]:
    """Returns the heads of the functions of the library's errors."""
    name = f"{model.name}_error"
    return {
        "name": c.prototype("const char *", f"{name}_name", ["int rc"]),
        "describe": c.prototype("const char *", f"{name}_describe", ["int rc"]),
        **enumeration_heads(error_enumeration(model)),
    }


def error_enumeration(model: m.Model) -> m.Enumeration:
    """Returns the library's errors as an enumeration, which no type refers to."""
    values = [m.EnumValue(value=e.value, name=e.name, c_name=e.c_name, place=e.place) for e in model.errors]
    place = model.errors[0].place
    return m.Enumeration(name="error", namespace=f"{model.name}_", place=place, values=values)


def hidden(kind: m.Type) -> str:
    return '__attribute__((visibility("hidden")))\n' if kind.hidden else ""


def aggregate(kind: m.Aggregate) -> str:
    word = "union" if isinstance(kind, m.Union) else "struct"
    name = kind.c_name
    body = c.with_comments(line for f in kind.fields for line in member(f, 4))
    text = f"{description(kind)}typedef {word} {name} {{\n{body}}} {name};\n\n"
    if isinstance(kind, m.Struct):
        for head in struct_heads(kind).values():
            text += hidden(kind) + head + ";\n"
    return text


def member(f: m.Field, indent: int) -> list[c.Line]:
    """Returns the lines that declare a field. A keyed union's key precedes the union. An array's length
    precedes the array."""
    margin = " " * indent
    kind = f.kind
    if isinstance(kind, m.KeyedUnion):
        key = kind.keyvar
        arms = [line for arm in kind.fields if arm.type is not None for line in member(arm, indent + 4)]
        lines = [(f"{margin}{c.declare(key.kind, key.name)};", key.doc or f"Which arm of {f.name} counts.")]
        return [*lines, (f"{margin}union {{", ""), *arms, (f"{margin}}} {f.name};", "")] if arms else lines
    if isinstance(kind, m.Array):
        counts = kind.lenvar.doc or f"The number of {f.name}."
        return [
            (f"{margin}int {kind.lenvar.name};", counts),
            (f"{margin}{c.declare(kind.element, f.name, pointer=True, const=f.const)};", f.doc),
        ]
    if isinstance(kind, m.Aggregate) and kind.name is None:
        word = "union" if isinstance(kind, m.Union) else "struct"
        inner = [line for g in kind.fields for line in member(g, indent + 4)]
        above = [(c.comment(c.one_line(f.doc), indent).rstrip("\n"), "")] if f.doc else []
        return [*above, (f"{margin}{word} {{", ""), *inner, (f"{margin}}} {f.name};", "")]
    return [(f"{margin}{c.declare(kind, f.name, const=f.const)};", f.doc)]


def struct_heads(kind: m.Struct) -> dict[str, str]:
    """Returns the heads of a struct's functions. The keys of the result are init, dispose, copy, to_json,
    to_json_all, from_json, and init_<path> for each keyed union of the struct."""
    name = kind.c_name
    heads: dict[str, str] = {}
    if kind.init_fn:
        heads["init"] = c.prototype("void", kind.init_fn, [f"{name} *p"])
        for path, union in keyed_unions(kind):
            key = union.keyvar
            heads[f"init_{path}"] = c.prototype(
                "void", init_key_name(kind, path, key), [f"{name} *p", c.declare(key.kind, key.name)]
            )
    if kind.dispose_fn:
        heads["dispose"] = c.prototype("void", kind.dispose_fn, [f"{name} *p"])
    if kind.copy_fn:
        heads["copy"] = c.prototype(
            "void", kind.copy_fn, ["libxl_ctx *ctx", f"{name} *dst", f"const {name} *src"]
        )
    if form(kind) is Form.STRUCT:
        heads["to_json"] = c.prototype("char *", f"{name}_to_json", ["libxl_ctx *ctx", f"const {name} *p"])
        heads["to_json_all"] = c.prototype(
            "char *", f"{name}_to_json_all", ["libxl_ctx *ctx", f"const {name} *p"]
        )
        heads["from_json"] = c.prototype(
            "int", f"{name}_from_json", ["libxl_ctx *ctx", f"{name} *p", "const char *json"]
        )
    return heads


def checked_copy_name(kind: m.Type) -> str:
    """Returns the internal copy function of a type that has a copy_fn. This function returns 0
    or ERROR_NOMEM."""
    assert kind.copy_fn
    return f"{kind.namespace}_{kind.copy_fn.removeprefix(kind.namespace)}"


def checked_copy_head(kind: m.Type) -> str:
    name = kind.c_name
    parameters = ["libxl_ctx *ctx", f"{name} *dst", f"const {name} *src"]
    return c.prototype("int", checked_copy_name(kind), parameters)


def init_key_name(kind: m.Struct, path: str, key: m.Field) -> str:
    """Returns the name of an init function, such as `libxl_event_init_type`. The name for a union inside
    another member contains the member's path."""
    way = path.split(".")[:-1]
    return "_".join([kind.init_fn or "", *way, key.name])


def keyed_unions(kind: m.Aggregate, prefix: str = "") -> list[tuple[str, m.KeyedUnion]]:
    """Returns the keyed unions in a struct and in its anonymous members, with the path to each."""
    found: list[tuple[str, m.KeyedUnion]] = []
    for f in kind.fields:
        if isinstance(f.type, m.KeyedUnion):
            found.append((prefix + f.name, f.type))
        if isinstance(f.type, m.Aggregate) and f.type.name is None:
            found += keyed_unions(f.type, f"{prefix}{f.name}.")
    return found
