# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes manual/c.rst and manual/python.rst, the references for C and for Python. They are sources
for Sphinx."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent

from gen import c, phase_text
from gen import model as m
from gen.c_types import enumeration_heads, struct_heads
from gen.python.classes import row
from gen.python.names import Names, camel, error_class, inputs, member, members, operations
from gen.python.operations import context_parameters, returned
from gen.reference import limits, rows_of


def outputs(model: m.Model) -> dict[str, str]:
    return {"manual/c.rst": c_manual(model), "manual/python.rst": python_manual(model)}


# reStructuredText


def title(text: str, line: str) -> str:
    return f"\n{text}\n{line * len(text)}\n\n"


def escaped(text: str) -> str:
    """Returns text escaped for reStructuredText."""
    for mark in "\\*`|_":
        text = text.replace(mark, f"\\{mark}")
    return text


def directive(name: str, argument: str, body: str, options: str = "") -> str:
    return f".. {name}:: {argument}\n{options}\n{indent(body.rstrip(), '   ')}\n\n"


def paragraphs(doc: str) -> str:
    return "".join(f"{escaped(c.one_line(part))}\n\n" for part in doc.split("\n\n"))


def listed(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f":{name}: {escaped(text)}\n" for name, text in rows)


def facts(o: m.Operation, errors: list[str], undo: str) -> str:
    """Returns the field list of an operation, which is the same for C and Python."""
    rows = [
        ("Abort", c.one_line(o.abort)),
        ("Time limit", f"{o.limit:g} s" if o.limit else "none unless given"),
        ("Speed", o.speed.value),
        ("Since", o.since),
    ]
    if undo:
        rows.append(("Taken back by", undo))
    return f":Errors: {', '.join(errors)}\n" + listed(rows) + phases(o)


def phases(o: m.Operation) -> str:
    """Returns a table of an operation's phases."""
    if not o.phases:
        return ""
    lines = [
        f"{'  -' if column else '* -'} {escaped(cell)}\n"
        for row in [phase_text.HEADS, *phase_text.table(o)]
        for column, cell in enumerate(row)
    ]
    return (
        "\n"
        + directive("list-table", "Phases", "".join(lines), "   :header-rows: 1\n")
        + paragraphs(phase_text.STOP_REQUEST)
    )


# C


def c_manual(model: m.Model) -> str:
    text = "C\n=\n\n.. highlight:: c\n" + title("Operations", "-")
    text += "".join(c_operation(o, model) for o in model.public_operations)
    text += title("Types", "-")
    for kind in model.structs + model.enumerations:
        if kind.doc and not kind.hidden:
            text += c_type(kind)
    if model.errors:
        text += title("Errors", "-")
        rows = "".join(directive("c:enumerator", f"{e.c_name} = {e.value}", e.doc) for e in model.errors)
        text += directive("c:enum", f"{model.name}_error", f"What can go wrong.\n\n{rows}")
    return text


def c_operation(o: m.Operation, model: m.Model) -> str:
    head = c.prototype("int", o.c_name, c.parameters(o)).replace("\n", " ")
    body = paragraphs(o.doc)
    body += "".join(f":param {f.name}: {escaped(limits(f))}\n" for f in o.inputs)
    body += "".join(f":param {f.name}: (result) {escaped(c.one_line(f.doc))}\n" for f in o.results)
    body += ":param ao_how: how it completes: NULL, in this call; a callback; or an event\n"
    if o.progress is not None:
        body += f":param {c.progress_parameter(o)}: how it reports {o.progress.name}; may be NULL\n"
    errors = [f":c:enumerator:`{e.c_name}`" for e in [*o.errors, *model.common_errors]]
    return directive(
        "c:function", " ".join(head.split()), body + facts(o, errors, o.undo.c_name if o.undo else "")
    )


def c_type(kind: m.Struct | m.Enumeration) -> str:
    if isinstance(kind, m.Enumeration):
        rows = [directive("c:enumerator", f"{v.c_name} = {v.value}", paragraphs(v.doc)) for v in kind.values]
        heads = enumeration_heads(kind)
        text = directive("c:enum", kind.c_name, paragraphs(kind.doc) + "".join(rows))
    else:
        fields = "".join(f"``{head}``\n   {escaped(doc)}\n\n" for head, doc in rows_of(kind, ""))
        heads = struct_heads(kind)
        text = directive("c:struct", kind.c_name, paragraphs(kind.doc) + fields)
    functions = "\n".join(f"{' '.join(head.split())};" for head in heads.values())
    return text + "::\n\n" + indent(functions, "   ") + "\n\n"


# Python


def python_manual(model: m.Model) -> str:
    names = Names(model)
    text = f"Python\n======\n\n.. py:module:: {names.package}\n" + title("Operations", "-")
    text += "".join(python_operation(names, o) for o in operations(model))
    text += title("Types", "-")
    for struct, name in names.own_structs.items():
        doc = paragraphs(struct.doc or "A part of what holds it.")
        text += directive(
            "py:class", name, doc + "".join(attribute(names, f, struct) for f in members(struct))
        )
    for kind in names.own_enumerations:
        rows = "".join(
            directive("py:attribute", member(v), paragraphs(v.doc), f"   :value: {v.value}\n")
            for v in kind.values
        )
        text += directive("py:class", camel(kind.name or ""), paragraphs(kind.doc) + rows)
    text += title("Events", "-") if model.events else ""
    for e in model.events:
        if e.name != "operation_complete":
            fields = "".join(directive("py:attribute", f.name, paragraphs(f.doc)) for f in e.fields)
            text += directive("py:class", camel(e.name), paragraphs(e.doc) + fields)
    text += title("Errors", "-") if model.errors else ""
    for error in model.errors:
        text += directive(
            "py:exception", error_class(error), f"{escaped(error.doc)}\n\n:In C: {error.c_name}\n"
        )
    return text


def python_operation(names: Names, o: m.Operation) -> str:
    body = paragraphs(o.doc)
    body += "".join(f":param {f.name}: {escaped(limits(f))}\n" for f in inputs(o))
    limited = "in seconds; None: no limit" if o.speed is m.Speed.SLOW else "it is over before any matters"
    body += f":param limit: {limited}\n"
    if o.progress is not None:
        body += f":param progress: called with each {camel(o.progress.name)}, before this completes\n"
    if o.results:
        body += f":returns: {escaped(' '.join(c.one_line(f.doc) for f in o.results))}\n"
    errors = [f":py:exc:`{error_class(e)}`" for e in [*o.errors, *names.model.common_errors]]
    head = (
        f"Context.{o.python_name}({', '.join(context_parameters(names, o))}) -> {returned(names, o)}".replace(
            "types.", ""
        )
    )
    return directive("py:method", head, body + facts(o, errors, o.undo.python_name if o.undo else ""))


def attribute(names: Names, f: m.Field, owner: m.Struct) -> str:
    described = row(names, f, owner.dir != m.DIR_OUT)
    value = described.new or described.default
    options = f"   :type: {described.kind}\n" + (f"   :value: {value}\n" if value else "")
    return directive("py:attribute", f.name, paragraphs(f.doc), options)
