# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests to measure with."""

from __future__ import annotations

import itertools
import os

import aioxen

KERNEL = os.environ["AIOXEN_BENCH_KERNEL"]
_numbers = itertools.count()


def guest(command_line: str, memory: int = 4, pvh: bool = False) -> aioxen.DomainConfig:
    """A guest with so many MB that does what the command line says (sim/README.md)."""
    name = f"bench-{os.getpid()}-{next(_numbers)}"
    return (aioxen.pvh if pvh else aioxen.pv)(name, KERNEL, memory=memory, cmdline=command_line)
