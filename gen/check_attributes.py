# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds attributes that have no effect in their place, and initial values that a field cannot have.

A type without documentation is one of libxl's own. On such a type, an attribute is accepted wherever libxl's
generator accepts the attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gen import model as m
from gen.model import Mistake

FRACTION = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")
NUMBER = re.compile(r"-?(0[xX][0-9a-fA-F]+|[1-9][0-9]*|0)")

# The reasons why an attribute has no effect, and three tables. Each table gives the attributes without effect
# in one place: on an input, on a member of a type, and on a result or an event's field.
NOT_COPIED = "what the field points to is always copied"
NOT_REPLACED = "no function moves its value to another field"
GIVEN = "the library sets it"
INPUT = {"const": NOT_COPIED, "deprecated_by": NOT_REPLACED}
OPTIONAL = {"optional": "only an input of an operation can be left out"}
MEMBER = OPTIONAL | {"json": "only inputs and results are converted"}
RESULT = INPUT | OPTIONAL | {"init_val": GIVEN, "min": GIVEN, "max": GIVEN}


def check_attributes(model: m.Model, types: list[m.Type]) -> Iterator[Mistake]:
    documented = {t.place.file for t in types if t.doc}
    for kind in types:
        if kind.place.file in documented:
            yield from of_type(kind, f"{type(kind).__name__} {kind.name}")
    for event in model.events:
        yield from of_fields(event.fields, RESULT | MEMBER, f"Event {event.name}")
    for o in model.operations:
        yield from of_fields(o.inputs, INPUT, f"Operation {o.name}")
        yield from of_fields(o.results, RESULT, f"Operation {o.name}")


def of_fields(fields: list[m.Field], meaningless: dict[str, str], what: str) -> Iterator[Mistake]:
    for f in fields:
        for name, reason in meaningless.items():
            if getattr(f, name) not in (None, False):
                yield Mistake(f.place, f"{what}.{f.name}: {name} means nothing here: {reason}")
        if f.json and f.kind.c_name != "char *":
            yield Mistake(f.place, f"{what}.{f.name}: json: only a string can be the text of a document")


def of_type(kind: m.Type, what: str) -> Iterator[Mistake]:
    for name, reason in meaningless(kind):
        if name in kind.keywords:
            yield Mistake(kind.at(name), f"{what}: {name} means nothing here: {reason}")
    if isinstance(kind, m.Aggregate):
        yield from of_fields(kind.fields, MEMBER, what)
        for f in kind.fields:
            if f.type is not None and f.type.name is None:
                yield from of_type(f.type, f"{what}.{f.name}")


def meaningless(kind: m.Type) -> Iterator[tuple[str, str]]:
    """Yields the attributes that have no effect on this type, each with the reason."""
    if kind.name is None:
        for name in "dir", "hidden", "namespace", "since":
            yield name, "the type has no name"
    if isinstance(kind, (m.Array, m.KeyedUnion)):
        yield "doc", "the field has the documentation"
    if isinstance(kind, m.Builtin) and kind.init_fn:
        yield "init_val", "init_fn sets the initial value"
    if isinstance(kind, m.Struct) and kind.name is not None:
        if kind.autogenerate_json:
            for name in "json_gen_fn", "json_fn", "jsonc_json_gen_fn", "json_parse_type", "json_parse_fn":
                yield name, "autogenerate_json is not False"
        for name in "init", "dispose", "copy":
            if getattr(kind, f"{name}_fn") is None:
                yield f"autogenerate_{name}_fn", f"{name}_fn is None"


# Initial values


def check_initial(f: m.Field, here: str, documented: bool) -> Iterator[Mistake]:
    """Yields mistakes in a field's init_val."""
    compound = isinstance(f.type, (m.Aggregate, m.Array))
    if f.init_val is None:
        if not compound and f.type is not None and f.type.init_val is not None:
            yield from out_of_bounds(f, f.type.init_val, here)
    elif compound or (f.type is not None and f.type.init_fn):
        yield Mistake(f.place, f"{here}: init_val: the type has its own initial value")
    elif f.kind.c_name == "char *" and not f.const and f.init_val != "NULL":
        yield Mistake(f.place, f"{here}: init_val: only a const string can be other than NULL")
    elif f.kind.c_name == "bool" and f.init_val not in ("true", "false", "0", "1"):
        yield Mistake(f.place, f"{here}: init_val: {f.init_val} is neither true nor false")
    elif not fits(f.init_val, f.kind):
        yield Mistake(f.place, f"{here}: init_val: {f.init_val} does not fit {f.kind.c_name}")
    elif f.enumeration is not None and not is_value(f.init_val, f.enumeration, documented):
        yield Mistake(f.place, f"{here}: init_val: {f.init_val} is no value of {f.enumeration.name}")
    else:
        yield from out_of_bounds(f, f.init_val, here)


def out_of_bounds(f: m.Field, given: str, here: str) -> Iterator[Mistake]:
    if isinstance(f.type, (m.Number, m.Float)) and (NUMBER.fullmatch(given) or FRACTION.fullmatch(given)):
        value = float(given) if isinstance(f.type, m.Float) else int(given, 0)
        if value < 0 and isinstance(f.type, m.Number) and not f.type.signed and f.type.range:
            value += f.type.range[1] + 1
        if f.min is not None and value < f.min:
            yield Mistake(f.place, f"{here}: init_val: {given} is less than min")
        if f.max is not None and value > f.max:
            yield Mistake(f.place, f"{here}: init_val: {given} is greater than max")


def check_type_initial(kind: m.Type, what: str) -> Iterator[Mistake]:
    """Yields mistakes in a type's init_val."""
    if not fits(kind.init_val, kind):
        yield Mistake(kind.at("init_val"), f"{what}: init_val: {kind.init_val} does not fit {kind.c_name}")
    if isinstance(kind, m.Enumeration) and not is_value(kind.init_val, kind, bool(kind.doc)):
        yield Mistake(kind.at("init_val"), f"{what}: init_val: {kind.init_val} is no value of {kind.name}")


def is_value(initial: str | None, kind: m.Enumeration, documented: bool) -> bool:
    """Returns whether an initial value is a value of the enumeration. 0 is also accepted, and means that
    there is no initial value.

    libxl's own types also use C constants that are not values of the enumeration.
    """
    if initial is None or kind.check_default_fn:
        return True
    if isinstance(kind, m.Flags):
        known = {v.c_name for v in kind.values} | {"0"}
        return all(part.strip() in known for part in initial.split("|"))
    if NUMBER.fullmatch(initial):
        return int(initial, 0) in [0, *(v.value for v in kind.values)]
    return not documented or any(initial in (v.c_name, *v.aliases) for v in kind.values)


def fits(initial: str | None, kind: m.Type) -> bool:
    """Returns whether an initial value that is a plain number fits the type. -1 fits every type, and sets
    all bits."""
    if isinstance(kind, m.Float):
        return initial is None or bool(FRACTION.fullmatch(initial)) or initial.isidentifier()
    if initial is None or not isinstance(kind, m.Number):
        return True
    if initial in ("true", "false"):
        return False
    if FRACTION.fullmatch(initial) and not NUMBER.fullmatch(initial):
        return False
    if kind.range is None:
        return True
    plain = NUMBER.fullmatch(initial)
    return not plain or initial == "-1" or kind.range[0] <= int(initial, 0) <= kind.range[1]
