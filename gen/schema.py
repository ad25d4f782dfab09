# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes schema/aioxen.schema.json, which describes the JSON of every struct. The file is a JSON Schema
(draft 2020-12).

`{"$ref": "aioxen.schema.json#/$defs/domain_config"}` is the schema of a domain_config. from_json
also refuses mistakes that a schema cannot express, such as duplicate keys and 1.0 in place of 1.
"""

from __future__ import annotations

import json
from typing import Any

from gen import attributes
from gen import model as m
from gen.c import one_line
from gen.json_forms import Form, members, structs

Schema = dict[str, Any]

TEXT: Schema = {"type": ["string", "null"], "pattern": "^[^\\u0000]*$"}


def outputs(model: m.Model) -> dict[str, str]:
    definitions = {s.name or "": described(whole(s), s.doc) for s in structs(model) if not s.hidden}
    enumerations = {e.name or "": described(words(e), e.doc) for e in model.enumerations}
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "aioxen.schema.json",
        "title": "What aioxen's types are in JSON",
        "$defs": dict(sorted({**definitions, **enumerations}.items())),
    }
    return {"schema/aioxen.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"}


def words(kind: m.Enumeration) -> Schema:
    one: Schema = {"enum": [v.text for v in kind.values]}
    return {"type": "array", "items": one, "uniqueItems": True} if isinstance(kind, m.Flags) else one


def described(schema: Schema, doc: str) -> Schema:
    return {"description": one_line(doc), **schema} if doc else schema


def whole(kind: m.Aggregate) -> Schema:
    """Returns the schema of an object with the fields of this type and no others."""
    properties: dict[str, Schema] = {}
    choices: list[Schema] = []
    for f, found in members(kind):
        if isinstance(f.kind, m.KeyedUnion):
            arms = arms_of(f.kind)
            properties |= arms
            choices.append(at_most_one(list(arms)))
        else:
            properties[f.name] = described(member(f, found), f.doc)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "allOf": choices} if choices else schema


def arms_of(union: m.KeyedUnion) -> dict[str, Schema]:
    held = {f.value: (f, found) for f, found in members(union)}
    arms: dict[str, Schema] = {}
    for value in union.key.values:
        name = f"{union.keyvar.name}.{value.text}"
        if value in held:
            f, found = held[value]
            arms[name] = described(member(f, found), f.doc)
        else:
            arms[name] = described({"type": "object", "maxProperties": 0}, value.doc)
    return arms


def at_most_one(names: list[str]) -> Schema:
    """Returns the schema that allows at most one of several members."""
    return {
        "oneOf": [
            *({"required": [name]} for name in names),
            {"not": {"anyOf": [{"required": [name]} for name in names]}},
        ]
    }


def member(f: m.Field, found: Form) -> Schema:
    kind = f.kind
    if isinstance(kind, m.Array):
        element = m.Field(name="", type=kind.element, place=f.place)
        schema: Schema = {"type": "array", "items": member(element, found)}
        return schema | bounds(f, "minItems", "maxItems", None)
    if isinstance(kind, m.Struct) and found is Form.GROUP:
        return whole(kind)
    if found in (Form.STRUCT, Form.WORD, Form.FLAGS):
        return {"$ref": f"#/$defs/{kind.name}"}
    if found is Form.NUMBER:
        limits = kind.range if isinstance(kind, m.Number) else None
        return {"type": "integer"} | bounds(f, "minimum", "maximum", limits)
    if found is Form.DOUBLE:
        return {"type": "number"} | bounds(f, "minimum", "maximum", None)
    if found is Form.OCTETS:
        return {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
    if found is Form.BY_HAND:
        pattern = kind.json_pattern if isinstance(kind, m.Builtin) else None
        return {"type": "string", "pattern": pattern} if pattern else shape(kind)
    return {"type": "boolean"} if found is Form.BOOL else TEXT


def shape(kind: m.Type) -> Schema:
    """Returns the schema of a hand-written type: the kinds of JSON value that the type's
    json_parse_type lists."""
    words = [word.strip() for word in (kind.json_parse_type or "JSON_ANY").split("|")]
    return {} if "JSON_ANY" in words else {"type": [attributes.SHAPES[word] for word in words]}


def bounds(f: m.Field, least: str, greatest: str, limits: tuple[float, float] | None) -> Schema:
    least_of, most_of = limits or (None, None)
    low = least_of if f.min is None else f.min
    high = most_of if f.max is None else f.max
    return ({} if low is None else {least: low}) | ({} if high is None else {greatest: high})
