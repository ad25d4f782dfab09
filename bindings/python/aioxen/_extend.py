# SPDX-License-Identifier: LGPL-2.1-or-later
"""How what an extension has joins what the library has."""

from __future__ import annotations

from typing import Any


def register(known: dict[int, Any], more: dict[int, Any], what: str) -> None:
    """Add to a table by numbers, none of which may be another extension's.

    Raises: ImportError.
    """
    for number, thing in more.items():
        other = known.get(number, thing).__module__
        if other != thing.__module__:
            raise ImportError(f"{what} {number} of {thing.__module__} is one of {other} already")
    known.update(more)
