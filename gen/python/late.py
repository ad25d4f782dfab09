# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the late types. _late_types.py makes their classes, and _late_convert.py converts them.

Most types belong to the configuration of a domain. Making their classes takes most of the time that an import
of types.py would take, and many programs use none of them. So types.py imports _late_types.py when such
a class is used first. _convert.py and _late_convert.py do the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from gen import model as m
from gen.python.names import Names, camel, members, operations

CONFIGURATION = "domain_config"
"""The struct whose parts are late. An IDL without this struct has no late types."""


@cache
def late(names: Names) -> list[m.Enumeration | m.Struct]:
    """Returns the late types. They are those that neither an event nor an operation uses, apart from the
    configuration, its parts, and the structs that contain such a part."""
    model = names.model
    found = next((s for s in names.structs if s.name == CONFIGURATION), None)
    if model.base is not None or found is None:
        return []
    parts = {kind for kind in closure([found]) if isinstance(kind, m.Struct)}
    count = 0
    while count != len(parts):
        count = len(parts)
        parts |= {s for s in names.structs if parts & set(used_by(s))}
    fields = [f for e in model.events for f in e.fields]
    fields += [f for o in operations(model) for f in (*o.inputs, *o.results)]
    used = [kind for f in fields for kind in named(f.enumeration or f.kind)]
    early = closure(kind for kind in used if kind not in parts)
    return [kind for kind in own(names) if kind not in early]


def own(names: Names) -> list[m.Enumeration | m.Struct]:
    """Returns the types that the model itself declares."""
    return [*names.own_enumerations, *names.own_structs]


def named(kind: m.Type | None) -> Iterator[m.Enumeration | m.Struct]:
    """Yields the types that have a class of their own among a type and its elements and arms."""
    if isinstance(kind, m.Enumeration | m.Struct):
        yield kind
    elif isinstance(kind, m.Array):
        yield from named(kind.element)
    elif isinstance(kind, m.KeyedUnion):
        for f in (kind.keyvar, *kind.fields):
            yield from named(f.enumeration or f.type)


def used_by(struct: m.Struct) -> Iterator[m.Enumeration | m.Struct]:
    """Yields the types of a struct's fields that have a class of their own."""
    for f in members(struct):
        yield from named(f.enumeration or f.kind)


def closure(kinds: Iterable[m.Enumeration | m.Struct]) -> set[m.Enumeration | m.Struct]:
    """Returns the types, and all types that they use."""
    found: set[m.Enumeration | m.Struct] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            if isinstance(kind, m.Struct):
                waiting += used_by(kind)
    return found


def class_name(names: Names, kind: m.Enumeration | m.Struct) -> str:
    return names.structs[kind] if isinstance(kind, m.Struct) else camel(kind.name or "")
