# SPDX-License-Identifier: LGPL-2.1-or-later
"""The configurations of guests for measurements."""

from __future__ import annotations

import itertools
import os

import aioxen

KERNEL = os.environ["AIOXEN_BENCH_KERNEL"]
_numbers = itertools.count()


def guest(command_line: str, memory: int = 4, pvh: bool = False) -> aioxen.DomainConfig:
    """Returns the configuration of a guest with `memory` MB. The command line selects what the guest does;
    see sim/README.md."""
    name = f"bench-{os.getpid()}-{next(_numbers)}"
    return (aioxen.pvh if pvh else aioxen.pv)(name, KERNEL, memory=memory, cmdline=command_line)
