# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes idl.json, which has the whole IDL. Other programs read the file. gen.compare compares a later IDL
with the file."""

from __future__ import annotations

import json
from typing import Any

from gen import model as m

Dump = dict[str, Any]


def outputs(model: m.Model) -> dict[str, str]:
    return {"idl.json": json.dumps(dump(model), indent=1, ensure_ascii=False) + "\n"}


def dump(model: m.Model) -> Dump:
    """Returns everything in the model, by name. Attributes that are not given are left out."""
    return given(soversion=model.soversion) | {
        "types": {t.c_name: kind(t) for t in model.types},
        "errors": {e.c_name: {"value": e.value, "doc": e.doc} for e in model.errors},
        "common_errors": [e.name for e in model.common_errors],
        "events": {e.name: event(e) for e in model.events},
        "operations": {o.c_name: operation(o) for o in model.operations},
        "functions": {f.c_name: {"since": f.since} for f in model.functions},
    }


def given(**values: Any) -> Dump:
    return {name: value for name, value in values.items() if value not in (None, "", [], {}, False)}


def kind(t: m.Type) -> Dump:
    about = given(kind=type(t).__name__, doc=t.doc, since=t.since, hidden=t.hidden, private=t.private)
    if isinstance(t, m.Number):
        about |= given(width=t.width, signed=t.signed)
    if isinstance(t, m.Enumeration):
        about["values"] = {v.c_name: given(doc=v.doc) | {"value": v.value} for v in t.values}
    if isinstance(t, m.Aggregate):
        about["fields"] = {f.name: field(f) for f in t.fields}
    return about


def field(f: m.Field) -> Dump:
    initial = f.init_val if f.init_val is not None else f.type.init_val if f.type else None
    about = given(
        type=spelled(f.type),
        doc=f.doc,
        const=f.const,
        initial=initial,
        deprecated_by=f.deprecated_by,
        unsupported=f.unsupported,
        enumname=f.enumname,
    )
    about |= {name: bound for name, bound in (("min", f.min), ("max", f.max)) if bound is not None}
    if isinstance(f.type, m.Array):
        about["length"] = f.type.lenvar.name
    if isinstance(f.type, m.KeyedUnion):
        about |= {"key": f.type.keyvar.name, "key_type": f.type.key.c_name}
    if isinstance(f.type, m.Aggregate) and f.type.name is None:
        about["fields"] = {g.name: field(g) for g in f.type.fields}
    return about


def spelled(t: m.Type | None) -> str:
    if t is None:
        return "nothing"
    if isinstance(t, m.Array):
        return f"array of {spelled(t.element)}"
    return t.c_name or type(t).__name__


def event(e: m.Event) -> Dump:
    return given(
        doc=e.doc, since=e.since, aliases=list(e.aliases), fields={f.name: field(f) for f in e.fields}
    ) | {"value": e.number}


def operation(o: m.Operation) -> Dump:
    return given(
        python=o.python_name,
        doc=o.doc,
        since=o.since,
        inputs={f.name: field(f) for f in o.inputs},
        results={f.name: field(f) for f in o.results},
        errors=[e.name for e in o.errors],
        abort=o.abort,
        limit=o.limit,
        speed=o.speed.value,
        phases={p.name: phase(p) for p in o.phases},
        hidden=o.hidden,
        progress=[o.progress_what, o.progress.name] if o.progress else None,
        undo=o.undo.c_name if o.undo else None,
    )


def phase(p: m.Phase) -> Dump:
    return given(
        doc=p.doc,
        waits=p.waits,
        stop=p.stop,
        stop_limit=p.stop_limit,
        undo=p.undo,
        undo_limit=p.undo_limit,
        limit=p.limit,
        limit_error=p.limit_error.name if p.limit_error else None,
        commits=p.commits,
    )
