# SPDX-License-Identifier: LGPL-2.1-or-later
"""The letters that the guest `build/guest/counter` prints on its serial port, a to z."""

from __future__ import annotations

import asyncio
from pathlib import Path


async def letters(serial: Path, count: int) -> str:
    """Waits until the guest has printed this many letters. Returns all letters that it has printed."""
    for _ in range(6000):
        found = serial.read_text() if serial.exists() else ""
        if len(found) >= count:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"the guest has printed {found!r}")


def check(printed: str) -> None:
    """Checks that no letter is missing or printed twice."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    assert printed == (alphabet * (len(printed) // 26 + 1))[: len(printed)], printed
