# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the table of types for json_types.c. With --words, prints the names in documents of these types."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[0:1] = [str(ROOT), str(ROOT / "tests/json")]

from json_support import table  # noqa: E402

from gen import model as m  # noqa: E402
from gen.json_forms import members, structs  # noqa: E402
from gen.load import load  # noqa: E402


def words(kind: m.Aggregate) -> Iterator[str]:
    """Yields the names of the members of a type, and the words of its enumerations."""
    for field, _ in members(kind):
        yield field.name
        if isinstance(field.kind, m.KeyedUnion):
            yield from (f"{field.kind.keyvar.name}.{value.text}" for value in field.kind.key.values)
        if isinstance(field.kind, m.Enumeration):
            yield from (value.text for value in field.kind.values)
        if isinstance(field.kind, m.Aggregate):
            yield from words(field.kind)


def main() -> None:
    kinds = structs(load(sorted((ROOT / "idl").glob("*.idl"))))
    if "--words" in sys.argv:
        for word in sorted({word for kind in kinds for word in words(kind)}):
            print(json.dumps(json.dumps(word)))
    else:
        print(table(kinds), end="")


main()
