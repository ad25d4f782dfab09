# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sizes of types in C on a 64-bit machine, computed from a dump (gen/dump.py).

A size is (octets, alignment). A size is None if the IDL does not determine it.
"""

from __future__ import annotations

from typing import Any

Dump = dict[str, Any]
Size = tuple[int, int]

POINTER: Size = (8, 8)
INT: Size = (4, 4)
KNOWN: dict[str, Size] = {
    "int": INT,
    "bool": (1, 1),
    "size_t": (8, 8),
    "double": (8, 8),
    "nothing": (0, 1),
    "libxl_uuid": (16, 1),
    "libxl_mac": (6, 1),
    "libxl_defbool": INT,
    "libxl_bitmap": (16, 8),
    "libxl_blob": (16, 8),
    "libxl_ev_link": (16, 8),
    **{f"uint{bits}_t": (bits // 8, bits // 8) for bits in (8, 16, 32, 64)},
}


def size_of(types: Dump, name: str) -> Size | None:
    """Returns the size of a type by its name."""
    about = types.get(name, {})
    if name.endswith("*") or name.startswith("array of "):
        return POINTER
    if name in KNOWN:
        return KNOWN[name]
    if "values" in about:
        return INT
    if "width" in about:
        return about["width"] // 8, about["width"] // 8
    if "fields" in about:
        return of_fields(types, about["fields"], about["kind"] == "Union")
    return None


def of_field(types: Dump, about: Dump) -> Size | None:
    if "fields" in about:  # The type is anonymous.
        return of_fields(types, about["fields"], about["type"] != "Struct")
    return size_of(types, about["type"])


def of_fields(types: Dump, fields: Dump, overlapping: bool) -> Size | None:
    """Returns the size of a struct with these fields, or the size of a union, whose fields overlap."""
    at, most, alignment = 0, 0, 1
    for about in fields.values():
        # The key of a union or the length of an array precedes it.
        parts = [INT] if "key" in about or "length" in about else []
        own = of_field(types, about)
        if own is None:
            return None
        for octets, own_alignment in [*parts, own]:
            at = rounded(at, own_alignment) + octets
            most, alignment = max(most, octets), max(alignment, own_alignment)
    return rounded(most if overlapping else at, alignment), alignment


def rounded(octets: int, alignment: int) -> int:
    return -(-octets // alignment) * alignment
