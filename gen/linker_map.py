# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes libaioxen.map.in. The file lists each symbol that the library exports under the version that
introduced it.

Internal functions are exported under the library's own version. So only extensions that were built for this
version can call an internal function. The Makefile replaces @VERSION@ by the library's version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from gen import model as m
from gen.c_types import enumeration_heads, error_heads, struct_heads


def outputs(model: m.Model) -> dict[str, str]:
    if model.base or not model.functions:
        return {}
    versions: dict[str, set[str]] = defaultdict(set)
    for since, name in exported(model):
        versions[since].add(name)
    text = "/* Generated from idl/. */\n"
    before = ""
    for since in sorted(versions, key=version):
        node = f"AIOXEN_{since}"
        text += f"{node} {{\n    global:\n{lines(versions[since])}"
        text += f"}}{before};\n\n" if before else "    local:\n        *;\n};\n\n"
        before = f" {node}"
    if model.internal:
        names = {f"{model.name}__{pattern}" for pattern in model.internal}
        text += f"AIOXEN_INTERNAL_@VERSION@ {{\n    global:\n{lines(names)}}};\n"
    return {"libaioxen.map.in": text}


def exported(model: m.Model) -> Iterator[tuple[str, str]]:
    """Yields every public function: the version that introduced it, and its name."""
    for f in model.functions:
        yield f.since, f.c_name
    for o in model.public_operations:
        yield o.since, o.c_name
    for kind in model.types:
        if not kind.hidden:
            yield from ((kind.since, called(head)) for head in heads(kind).values())
    if model.errors:
        first = min((f.since for f in model.functions), key=version)
        yield from ((first, called(head)) for head in error_heads(model).values())


def heads(kind: m.Type) -> dict[str, str]:
    """Returns the C declaration of each function of a type, by the function's purpose: `init`,
    `dispose`, ..."""
    if isinstance(kind, m.Enumeration):
        return enumeration_heads(kind)
    return struct_heads(kind) if isinstance(kind, m.Struct) else {}


def called(head: str) -> str:
    """Returns the name of the function with this head."""
    return head.partition("(")[0].split()[-1].lstrip("*")


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def lines(names: set[str]) -> str:
    return "".join(f"        {name};\n" for name in sorted(names))
