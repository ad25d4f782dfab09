# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes src/_libxl_types.c and src/_libxl_types_internal.h. The first has the functions of types. The
second declares the checked copy functions."""

from __future__ import annotations

from gen import c
from gen import model as m
from gen.c_types import (
    checked_copy_head,
    checked_copy_name,
    enumeration_heads,
    error_enumeration,
    hidden,
    keyed_unions,
    struct_heads,
)

NAMES = """\
struct name {
    int value;
    const char *name;
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *name_of(const struct name *names, size_t count, int value)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].value == value)
            return names[i].name;
    }
    return NULL;
}
"""

VALUES = """\
static int value_of(const struct name *names, size_t count, const char *name, int *out)
{
    for (size_t i = 0; name && i < count; i++) {
        if (!strcasecmp(names[i].name, name)) {
            *out = names[i].value;
            return 0;
        }
    }
    return ERROR_INVAL;
}
"""

INTERNAL = """\
Copies that report failure, for the generated code.

The public T_copy returns nothing, as in libxl, but an initiator must notice that memory has run out. These \
return 0, or ERROR_NOMEM and *dst is as T_init leaves it. *dst is not disposed of first. No lock is taken; \
any thread may call them. For a type that is written by hand this function is, too."""

COPY_STRING = """\
static int copy_string(char **dst, const char *src)
{
    *dst = src ? strdup(src) : NULL;
    return src && !*dst ? ERROR_NOMEM : 0;
}
"""


def outputs(model: m.Model) -> dict[str, str]:
    if not has_internal_header(model):
        return {}
    parts = [c.banner("The types' functions. Nothing here takes a lock or knows a context.")]
    parts += ["#include <errno.h>\n#include <stdlib.h>\n#include <string.h>\n#include <strings.h>\n"]
    parts += [f'#include "{internal_header_name(model)}"\n']
    if model.errors or model.enumerations:
        parts.append(NAMES)
    if model.enumerations or model.errors:
        parts.append(VALUES)
    functions = [part for kind in model.structs for part in struct(kind)]
    if any("copy_string(" in f for f in functions):
        parts.append(COPY_STRING)
    if model.errors:
        parts.append(errors(model))
    parts += [enumeration(kind) for kind in model.enumerations]
    return {
        f"src/_{model.name}_types.c": "\n".join(parts + functions),
        f"src/{internal_header_name(model)}": internal_header(model),
    }


def has_internal_header(model: m.Model) -> bool:
    return model.base is None or bool(model.types or model.errors)


def internal_header_name(model: m.Model) -> str:
    """Returns the header that declares the checked copy functions. An extension without types uses the
    library's header."""
    return f"_{model.name if has_internal_header(model) else model.whole.name}_types_internal.h"


def internal_header(model: m.Model) -> str:
    if model.base:
        parts = [f'#include "_{model.base.name}_types_internal.h"\n#include "_{model.name}_types.h"\n']
    else:
        parts = ["#include <libxl.h>\n"]
    copied = [kind for kind in model.types if kind.copy_fn and not isinstance(kind, (m.Enumeration, m.Union))]
    if copied:
        parts.append("".join(f"{hidden(kind)}{checked_copy_head(kind)};\n" for kind in copied))
    return c.banner(INTERNAL) + c.guarded(f"{model.name}__TYPES_INTERNAL_H", "\n".join(parts))


def table(name: str, rows: list[tuple[str, str]]) -> str:
    lines = "".join(f'    {{{value}, "{text}"}},\n' for value, text in rows)
    return f"static const struct name {name}[] = {{\n{lines}}};\n"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def errors(model: m.Model) -> str:
    names = table("error_names", [(e.c_name, e.name) for e in model.errors])
    descriptions = table("error_descriptions", [(e.c_name, escaped(e.doc)) for e in model.errors])
    return "\n".join(
        [
            names,
            c.function(
                f"const char *{model.name}_error_name(int rc)",
                "return name_of(error_names, COUNT(error_names), rc);\n",
            ),
            descriptions,
            c.function(
                f"const char *{model.name}_error_describe(int rc)",
                "return name_of(error_descriptions, COUNT(error_descriptions), rc);\n",
            ),
            enumeration(error_enumeration(model), "error_words"),
        ]
    )


def enumeration(kind: m.Enumeration, names: str = "") -> str:
    names = names or f"{kind.name}_names"
    heads = enumeration_heads(kind)
    from_string = (
        f"int value;\nint rc = value_of({names}, COUNT({names}), text, &value);\n\n"
        f"if (!rc)\n    *out = ({kind.c_name})value;\nreturn rc;\n"
    )
    return "\n".join(
        [
            table(names, [(v.c_name, v.text) for v in kind.values]),
            c.function(heads["to_string"], f"return name_of({names}, COUNT({names}), (int)value);\n"),
            c.function(heads["from_string"], from_string),
        ]
    )


def struct(kind: m.Struct) -> list[str]:
    """Returns a struct's functions. The static functions that a function uses precede it."""
    heads = struct_heads(kind)
    parts: list[str] = []
    if "init" in heads and kind.autogenerate_init_fn:
        body = "memset(p, 0, sizeof(*p));\n" + "".join(init(kind, "p->"))
        parts.append(c.function(heads["init"], body))
        for path, union in keyed_unions(kind):
            parts.append(c.function(heads[f"init_{path}"], init_key(kind, path, union)))
    if "dispose" in heads and kind.autogenerate_dispose_fn:
        body = "if (!p)\n    return;\n" + "".join(dispose(kind, "p->")) + "memset(p, 0, sizeof(*p));\n"
        if "int i" in body:
            body = body.replace("return;\n", "return;\n\n", 1)
        parts.append(c.function(heads["dispose"], body))
    if "copy" in heads:
        if kind.autogenerate_copy_fn:
            parts += Copy(kind).functions(checked_copy_head(kind))
        parts.append(c.function(heads["copy"], copy(kind)))
    return parts


# init


def initial(f: m.Field) -> str | None:
    value = f.init_val if f.init_val is not None else f.kind.init_val
    return None if value in ("0", "NULL", "false") else value


def init(kind: m.Aggregate, prefix: str) -> list[str]:
    """Returns statements that set the initial values that are not zero."""
    lines: list[str] = []
    for f in kind.fields:
        inner = f.kind
        if isinstance(inner, m.KeyedUnion):
            lines += assign(inner.keyvar, prefix) + init_first_arm(inner, f"{prefix}{f.name}.")
        elif isinstance(inner, m.Array):
            lines += assign(inner.lenvar, prefix)
        elif f.const and f.init_val is None:
            continue
        elif f.init_val is None and inner.name is not None and inner.init_fn:
            lines.append(f"{inner.init_fn}(&{prefix}{f.name});\n")
        elif isinstance(inner, m.Struct) and inner.name is None:
            lines += init(inner, f"{prefix}{f.name}.")
        else:
            lines += assign(f, prefix)
    return lines


def init_first_arm(union: m.KeyedUnion, prefix: str) -> list[str]:
    """Returns statements that initialise the arm that the key's initial value selects. Returns an empty
    list if the value selects no arm."""
    first = initial(union.keyvar) or "0"
    arms = [a for a in union.fields if a.value and first in (a.value.c_name, str(a.value.value))]
    return init_arm(arms[0], prefix) if arms else []


def assign(f: m.Field, prefix: str) -> list[str]:
    value = initial(f)
    return [] if value is None else [f"{prefix}{f.name} = {value};\n"]


def init_key(kind: m.Struct, path: str, union: m.KeyedUnion) -> str:
    beside = "p->" + path.rpartition(".")[0] + ("." if "." in path else "")
    text = f"{beside}{union.keyvar.name} = {union.keyvar.name};\nmemset(&p->{path}, 0, sizeof(p->{path}));\n"
    cases = {arm: init_arm(arm, f"p->{path}.") for arm in union.fields}
    return text + switch(union.keyvar.name, cases)


def init_arm(arm: m.Field, prefix: str) -> list[str]:
    return init(m.Struct(name=None, place=arm.place, fields=[arm]), prefix) if arm.type else []


def switch(subject: str, cases: dict[m.Field, list[str]]) -> str:
    """Returns a switch over the arms that have statements. Returns an empty text if no arm has statements."""
    text = ""
    for arm, lines in cases.items():
        if lines and arm.value:
            body = "".join("    " + line + "\n" for part in lines for line in part.splitlines())
            text += f"case {arm.value.c_name}:\n{body}    break;\n"
    return f"switch ({subject}) {{\n{text}default: break;\n}}\n" if text else ""


# dispose


def dispose(kind: m.Aggregate, prefix: str) -> list[str]:
    """Returns statements that free the memory that the fields own."""
    lines: list[str] = []
    for f in kind.fields:
        inner, path = f.kind, prefix + f.name
        if f.const or inner.private or not inner.owns:
            continue
        if isinstance(inner, m.KeyedUnion):
            cases = {arm: dispose_arm(arm, f"{path}.") for arm in inner.fields}
            lines.append(switch(f"{prefix}{inner.keyvar.name}", cases))
        elif isinstance(inner, m.Array):
            if inner.element.owns:
                give_back = dispose_one(inner.element, f"{path}[i]")
                count = f"{prefix}{inner.lenvar.name}"
                lines.append(f"for (int i = 0; {path} && i < {count}; i++)\n    {give_back}")
            lines.append(f"free({path});\n")
        elif isinstance(inner, m.Aggregate) and inner.name is None:
            lines += dispose(inner, f"{path}.")
        else:
            lines.append(dispose_one(inner, path))
    return lines


def dispose_one(kind: m.Type, path: str) -> str:
    return f"{kind.dispose_fn}({'&' if c.by_reference(kind) else ''}{path});\n"


def dispose_arm(arm: m.Field, prefix: str) -> list[str]:
    return dispose(m.Struct(name=None, place=arm.place, fields=[arm]), prefix) if arm.type else []


# copy


def copy(kind: m.Struct) -> str:
    """Returns the body of the public copy function, which calls the checked copy function."""
    return f"if ({checked_copy_name(kind)}(ctx, dst, src))\n    errno = ENOMEM;\n"


class Copy:
    """The copy function of one struct, and the static functions that copy the struct's arrays and unions."""

    def __init__(self, kind: m.Struct) -> None:
        self.kind = kind
        self.helpers: list[str] = []

    def functions(self, head: str) -> list[str]:
        name = self.kind.c_name
        assignments, calls = self.fields(self.kind, "")
        if not calls and not any(f.kind.private for f in self.kind.fields):
            return [c.function(head, "(void)ctx;\n*dst = *src;\nreturn 0;\n")]
        body = self.initialise() + "".join(assignments)
        if calls:
            body += f"if ({self.joined(calls)}) {{\n"
            body += f"    {name}_dispose(dst);\n    {self.initialise()}    return ERROR_NOMEM;\n}}\n"
        body += "return 0;\n"
        if "(ctx" not in body:
            body = "(void)ctx;\n" + body
        return [*self.helpers, c.function(head, body)]

    def initialise(self) -> str:
        return f"{self.kind.init_fn}(dst);\n" if self.kind.init_fn else "memset(dst, 0, sizeof(*dst));\n"

    def joined(self, calls: list[str]) -> str:
        return " ||\n    ".join(calls)

    def fields(self, kind: m.Aggregate, prefix: str) -> tuple[list[str], list[str]]:
        """Returns assignments and calls that copy the fields from src to dst. A call returns a value other
        than 0 on failure."""
        assignments: list[str] = []
        calls: list[str] = []
        for f in kind.fields:
            inner, path = f.kind, prefix + f.name
            if inner.private:
                continue
            # The struct does not own the memory of a const field, so the copy gets the same pointer.
            if f.const:
                if isinstance(inner, m.Array):
                    length = prefix + inner.lenvar.name
                    assignments.append(f"dst->{length} = src->{length};\n")
                assignments.append(f"dst->{path} = src->{path};\n")
            elif isinstance(inner, m.KeyedUnion):
                key = prefix + inner.keyvar.name
                assignments.append(f"dst->{key} = src->{key};\n")
                calls += self.keyed_union(inner, path, key)
            elif isinstance(inner, m.Array):
                calls.append(self.array(f, inner, path, prefix + inner.lenvar.name))
            elif isinstance(inner, m.Struct) and inner.name is None:
                more = self.fields(inner, f"{path}.")
                assignments += more[0]
                calls += more[1]
            elif inner.copy_fn:
                calls.append(self.one(inner, f"dst->{path}", f"src->{path}"))
            # The C type of the field may be an array.
            elif c.by_reference(inner) and isinstance(inner, m.Builtin):
                given = [f"&dst->{path}", f"&src->{path}", f"sizeof(dst->{path})"]
                assignments.append(c.call("memcpy", given, 4) + ";\n")
            else:
                assignments.append(f"dst->{path} = src->{path};\n")
        return assignments, calls

    @staticmethod
    def one(kind: m.Type, dst: str, src: str, before: str = "", indent: int = 8) -> str:
        """Returns the call that copies one value. The call returns a value other than 0 on failure."""
        if c.is_string(kind):
            return c.call(f"{before}copy_string", [f"&{dst}", src], indent)
        return c.call(f"{before}{checked_copy_name(kind)}", ["ctx", f"&{dst}", f"&{src}"], indent)

    def helper(self, path: str, body: str) -> str:
        """Defines a static function that copies the part at `path`. Returns a call of the function."""
        name = f"{self.kind.name}_copy_{path.replace('.', '_')}"
        own = self.kind.c_name
        head = c.prototype("static int", name, ["libxl_ctx *ctx", f"{own} *dst", f"const {own} *src"])
        if "(ctx" not in body:
            body = "(void)ctx;\n" + body
        self.helpers.append(c.function(head, body))
        return f"{name}(ctx, dst, src)"

    def keyed_union(self, union: m.KeyedUnion, path: str, key: str) -> list[str]:
        cases: dict[m.Field, list[str]] = {}
        for arm in union.fields:
            if arm.type is None:
                continue
            single = m.Struct(name=None, place=arm.place, fields=[arm])
            assignments, calls = self.fields(single, f"{path}.")
            lines = list(assignments)
            if calls:
                lines.append(f"if ({self.joined(calls)})\n    return ERROR_NOMEM;\n")
            cases[arm] = lines
        body = switch(f"src->{key}", cases)
        return [self.helper(path, body + "return 0;\n")] if body else []

    def array(self, f: m.Field, array: m.Array, path: str, length: str) -> str:
        element = array.element
        body = f"if (src->{length} <= 0 || !src->{path})\n    return 0;\n"
        size = [f"(size_t)src->{length}", f"sizeof(*dst->{path})"]
        body += c.call(f"dst->{path} = calloc", size, 4) + ";\n"
        body += f"if (!dst->{path})\n    return ERROR_NOMEM;\n"
        if element.copy_fn:
            # The length counts the elements that were copied. So the dispose function frees these elements
            # after a failure.
            at = f"{path}[dst->{length}]"
            copied = self.one(element, f"dst->{at}", f"src->{at}", "    if (", 4)
            body += f"for (; dst->{length} < src->{length}; dst->{length}++) {{\n"
            body += f"{copied})\n        return ERROR_NOMEM;\n}}\n"
        else:
            body += f"memcpy(dst->{path}, src->{path}, (size_t)src->{length} * sizeof(*dst->{path}));\n"
            body += f"dst->{length} = src->{length};\n"
        return self.helper(path, body + "return 0;\n")
