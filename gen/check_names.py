# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds mistakes in a single name, documentation text or version, and duplicate names."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator

from gen.model import Mistake, Place


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


C_KEYWORDS = words(
    """asm auto bool break case char const continue default do double else enum extern false float for goto if
    inline int long register restrict return short signed sizeof static struct switch true typedef typeof
    union unsigned void volatile while"""
)
# The names of macros of gcc and of the headers that every program includes.
C_MACROS = words("NULL errno linux stderr stdin stdout unix")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SINCE = re.compile(r"[0-9]+(\.[0-9]+)+")


def unique(names: Iterable[tuple[str, Place]], what: str) -> Iterator[Mistake]:
    first: dict[str, Place] = {}
    for name, place in names:
        if name in first:
            yield Mistake(place, f"{what} {name}: declared already at {first[name]}")
        first.setdefault(name, place)


def check_name(name: str, place: Place, what: str) -> Iterator[Mistake]:
    if not NAME.fullmatch(name):
        yield Mistake(place, f"{what}: not a name: {name!r}")
    elif name in C_KEYWORDS:
        yield Mistake(place, f"{what}: {name} is a keyword of C")
    elif name in C_MACROS:
        yield Mistake(place, f"{what}: {name} is a macro of C")
    elif keyword.iskeyword(name):
        yield Mistake(place, f"{what}: {name} is a keyword of Python")


def check_doc(thing: str, doc: str, place: Place) -> Iterator[Mistake]:
    if not doc:
        yield Mistake(place, f"{thing}: no documentation")
    elif not doc.endswith((".", ":", "?", "!")):
        yield Mistake(place, f"{thing}: the documentation does not end with a full stop")
    elif "*/" in doc:
        yield Mistake(place, f"{thing}: the documentation contains the end of a C comment")


def check_since(thing: str, since: str, place: Place) -> Iterator[Mistake]:
    if not since:
        yield Mistake(place, f"{thing}: since is missing")
    elif not SINCE.fullmatch(since):
        yield Mistake(place, f"{thing}: since is a version such as 0.1, not {since!r}")
