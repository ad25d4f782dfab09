# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes doc/operations.md, the reference page of operations, events, types and errors for C and Python."""

from __future__ import annotations

from collections.abc import Iterable

from gen import c, phase_text
from gen import model as m

INTRODUCTION = """\
# Reference

Generated from the IDL. In C every operation is `int libxl_NAME(ctx, inputs, results, ao_how)`; in Python it
is a method of `aioxen.Context` that takes the inputs and gives the result. Errors are named as in C, without
`ERROR_`. A stop request is an abort, the end of the time limit, or the closing of the context.
"""


def outputs(model: m.Model) -> dict[str, str]:
    parts = [INTRODUCTION]
    if model.public_operations:
        parts += ["## Operations\n", overview(model), *(operation(o) for o in model.public_operations)]
    if model.events:
        parts += ["## Events\n", events(model)]
    types = [t for t in model.types if t not in (model.event, model.event_type) and not t.hidden]
    if types:
        parts += ["## Types\n", *(described(t) for t in types)]
    if model.errors:
        parts += ["## Errors\n", errors(model)]
    return {"doc/operations.md": "\n".join(parts)}


def table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def overview(model: m.Model) -> str:
    common = ", ".join(e.name for e in model.common_errors)
    note = f"Every operation can also give {common}.\n\n" if common else ""
    rows = [
        [f"[{o.c_name}](#{o.c_name})", f"`{o.python_name}`", o.summary, o.speed.value]
        for o in model.public_operations
    ]
    return note + table(["C", "Python", "", "speed"], rows)


def operation(o: m.Operation) -> str:
    head = c.prototype("int", o.c_name, c.parameters(o))
    text = f"### {o.c_name}\n\n```c\n{head};\n```\n\n{o.doc}\n"
    rows = [[f"`{f.name}`", "in", shown(f.kind), limits(f)] for f in o.inputs]
    rows += [[f"`{f.name}`", "out", shown(f.kind), c.one_line(f.doc)] for f in o.results]
    if o.progress is not None:
        rows.append([f"`{c.progress_parameter(o)}`", "progress", f"`{o.progress.name}`", o.progress.doc])
    if rows:
        text += "\n" + table(["", "", "type", ""], rows)
    facts = [
        ("Python", f"`{o.python_name}`"),
        ("Errors", ", ".join(e.name for e in o.errors)),
        ("Abort", c.one_line(o.abort)),
        ("Time limit", f"{o.limit:g} s" if o.limit is not None else "none unless given"),
        ("Speed", o.speed.value),
        ("Since", o.since),
    ]
    if o.undo is not None:
        facts.insert(3, ("Taken back by", f"[{o.undo.c_name}](#{o.undo.c_name})"))
    text += "\n" + "".join(f"- **{name}:** {fact}\n" for name, fact in facts)
    if o.phases:
        text += "\n" + table(phase_text.HEADS, phase_text.table(o))
    return text


def events(model: m.Model) -> str:
    rows: list[list[str]] = []
    for event in model.events:
        carried = "; ".join(f"`{f.name}` ({f.kind.c_name}): {c.one_line(f.doc)}" for f in event.fields)
        names = ", ".join(f"`{n.upper()}`" for n in (event.name, *event.aliases))
        rows.append([str(event.number), names, c.one_line(event.doc), carried, event.since])
    return "Each also carries `domid`, `domuuid` and `for_user`.\n\n" + table(
        ["number", "name", "", "carries", "since"], rows
    )


def described(kind: m.Type) -> str:
    word = {m.Struct: "struct", m.Union: "union", m.Enumeration: "enum"}.get(type(kind), "by hand")
    text = f"### {kind.c_name}\n\n{kind.doc or word}"
    text += f" ({word}, since {kind.since})\n" if kind.since else "\n"
    if isinstance(kind, m.Enumeration):
        rows = [[str(v.value), f"`{v.c_name}`", f'"{v.text}"', c.one_line(v.doc)] for v in kind.values]
        return text + "\n" + table(["value", "C", "word", ""], rows)
    if isinstance(kind, m.Aggregate):
        return text + "\n" + table(["field", "type", ""], fields(kind, ""))
    return text


def fields(kind: m.Aggregate, prefix: str) -> Iterable[list[str]]:
    for f in kind.fields:
        path = prefix + f.name
        inner = f.type
        if isinstance(inner, m.KeyedUnion):
            yield [f"`{prefix}{inner.keyvar.name}`", shown(inner.key), f"Which arm of `{path}` counts."]
        if isinstance(inner, m.Array):
            yield [f"`{prefix}{inner.lenvar.name}`", "`int`", f"The number of `{path}`."]
        yield [f"`{path}`", shown(inner), limits(f)]
        if isinstance(inner, m.Aggregate) and inner.name is None:
            yield from fields(inner, f"{path}.")


def rows_of(kind: m.Aggregate, prefix: str) -> Iterable[tuple[str, str]]:
    """Returns each field's C declaration, with its path in unions and anonymous structs,
    and its documentation."""
    for f in kind.fields:
        path, inner = prefix + f.name, f.type
        if isinstance(inner, m.KeyedUnion):
            key = inner.keyvar
            yield (
                c.declare(key.kind, prefix + key.name),
                f"Which arm of {path} counts. {c.one_line(f.doc)}".strip(),
            )
            yield from rows_of(inner, f"{path}.")
        elif isinstance(inner, m.Array):
            yield f"int {prefix}{inner.lenvar.name}", f"The number of {path}."
            yield c.declare(inner.element, path, pointer=True, const=f.const), limits(f)
        elif isinstance(inner, m.Aggregate) and inner.name is None:
            yield from rows_of(inner, f"{path}.")
        elif inner is not None:
            yield c.declare(inner, path, const=f.const), limits(f)


def shown(kind: m.Type | None) -> str:
    """Returns a type's name. The name is a link if the page describes the type."""
    if kind is None:
        return "nothing"
    if isinstance(kind, m.Array):
        return f"array of {shown(kind.element)}"
    if isinstance(kind, m.Aggregate) and kind.name is None:
        return "union" if isinstance(kind, (m.Union, m.KeyedUnion)) else "struct"
    linked = isinstance(kind, (m.Aggregate, m.Enumeration)) or kind.since
    return f"[{kind.c_name}](#{kind.c_name})" if linked else f"`{kind.c_name}`"


def limits(f: m.Field) -> str:
    """Returns the documentation of a field, with its bounds."""
    doc = c.one_line(f.doc)
    if f.min is None and f.max is None:
        return doc
    if f.min is not None and f.max is not None:
        return f"{doc} {f.min} to {f.max}."
    return f"{doc} At least {f.min}." if f.min is not None else f"{doc} At most {f.max}."


def errors(model: m.Model) -> str:
    return table(["number", "name", ""], [[str(e.value), f"`{e.name}`", e.doc] for e in model.errors])
