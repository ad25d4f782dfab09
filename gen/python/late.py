# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the late types: those of the modules _result_types.py and _late_types.py. _result_convert.py and
_late_convert.py convert them.

Making a class takes as long as importing a small module, and many programs use few of the types. So types.py
makes only the classes of events. It imports one of the other two modules when a class of that module is used
first. _result_types.py has the types of results, and _late_types.py those of a domain's configuration, of
which there are most. _convert.py does the same with the conversions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TypeAlias

from gen import model as m
from gen.python.names import Names, camel, members, operations

CONFIGURATION = "domain_config"
"""The struct whose parts are late. An IDL without this struct has no late types."""


EARLY = ""
RESULT = "_result"
CONFIGURED = "_late"
LATE = (RESULT, CONFIGURED)
"""The stages of types. A stage is the beginning of the names of its two modules."""

Kind: TypeAlias = m.Enumeration | m.Struct


@cache
def stages(names: Names) -> dict[Kind, str]:
    """Returns the stage of each type that the model itself declares. A type uses no type of a later stage.

    EARLY has the types of events, and the enumerations of which an input has a member as its default. RESULT
    has the types of all other inputs and results, and CONFIGURED has the configuration, its parts, and the
    structs that contain such a part.
    """
    model = names.model
    found = next((s for s in names.structs if s.name == CONFIGURATION), None)
    if model.base is not None or found is None:
        return dict.fromkeys(own(names), EARLY)
    parts = {kind for kind in closure([found]) if isinstance(kind, m.Struct)}
    count = 0
    while count != len(parts):
        count = len(parts)
        parts |= {s for s in names.structs if parts & set(used_by(s))}
    inputs = [f for o in operations(model) for f in o.inputs]
    results = [f for o in operations(model) for f in o.results]
    events = [f for e in model.events for f in e.fields]
    defaults = {f.enumeration or f.kind for f in inputs if f.init_val is not None}
    early = reached(events, parts) | {kind for kind in own(names) if kind in defaults}
    used = reached([*events, *inputs, *results], parts)
    return {kind: EARLY if kind in early else RESULT if kind in used else CONFIGURED for kind in own(names)}


def reached(fields: Iterable[m.Field], parts: set[m.Struct]) -> set[Kind]:
    """Returns the types that the fields use, without the parts of the configuration."""
    return closure(kind for f in fields for kind in named(f.enumeration or f.kind) if kind not in parts)


def own(names: Names) -> list[Kind]:
    """Returns the types that the model itself declares."""
    return [*names.own_enumerations, *names.own_structs]


def named(kind: m.Type | None) -> Iterator[Kind]:
    """Yields the types that have a class of their own among a type and its elements and arms."""
    if isinstance(kind, m.Enumeration | m.Struct):
        yield kind
    elif isinstance(kind, m.Array):
        yield from named(kind.element)
    elif isinstance(kind, m.KeyedUnion):
        for f in (kind.keyvar, *kind.fields):
            yield from named(f.enumeration or f.type)


def used_by(struct: m.Struct) -> Iterator[Kind]:
    """Yields the types of a struct's fields that have a class of their own."""
    for f in members(struct):
        yield from named(f.enumeration or f.kind)


def closure(kinds: Iterable[Kind]) -> set[Kind]:
    """Returns the types, and all types that they use."""
    found: set[Kind] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            if isinstance(kind, m.Struct):
                waiting += used_by(kind)
    return found


def class_name(names: Names, kind: Kind) -> str:
    return names.structs[kind] if isinstance(kind, m.Struct) else camel(kind.name or "")
