# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests to measure with."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import aioxen

KERNEL = Path(os.environ.get("AIOXEN_BUILD", Path(__file__).resolve().parents[2] / "build"), "guest/tiny")
_numbers = itertools.count()


def guest(command_line: str, memory: str = "4M") -> aioxen.DomainConfig:
    """A PV guest that does what the command line says (sim/README.md)."""
    name = f"bench-{os.getpid()}-{next(_numbers)}"
    return aioxen.pv(name, str(KERNEL), memory=memory, cmdline=command_line)
