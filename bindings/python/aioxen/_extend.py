# SPDX-License-Identifier: LGPL-2.1-or-later
"""The registration of an extension's errors and events in the library's tables."""

from __future__ import annotations

import os
from typing import Any

_PRIVATE = os.path.join(os.path.dirname(__file__), "libaioxen-python.so")


def register(table: dict[int, Any], rows: dict[int, Any], what: str) -> None:
    """Adds an extension's rows to a table. The keys are the numbers of its errors or events.

    Raises ImportError if another module has registered one of the numbers. Also raises ImportError if this
    package has a private copy of the C library, because the extension's operations would be linked with
    another copy.
    """
    if os.path.exists(_PRIVATE):
        raise ImportError(
            "this aioxen has a private copy of the C library, which extensions cannot use: "
            "install it with AIOXEN_LIBRARY=installed pip install"
        )
    for number, row in rows.items():
        other = table.get(number, row).__module__
        if other != row.__module__:
            raise ImportError(f"{what} {number} of {row.__module__} is already registered by {other}")
    table.update(rows)
