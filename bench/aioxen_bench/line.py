# SPDX-License-Identifier: LGPL-2.1-or-later
"""Describes one line of the table of results, and decides whether the measurements meet its goal."""

from __future__ import annotations

import enum
import statistics
from dataclasses import dataclass
from typing import Literal

Object = dict[str, object]
"""The type of a line of build/bench.json."""
Subject = Literal["ours", "peer", "floor"]
Round = dict[str, float]
"""The type of the numbers of one round. Every round has "ours". A round also has "peer" and "floor" if the
line has these programs."""


@dataclass(frozen=True)
class Goal:
    """A bound on the number of "ours". With `of`, the bound is a multiple of the number that the subject `of`
    has in the same round. With `added`, the bound is that number plus a constant."""

    sense: Literal["≤", "≥"]
    bound: float
    of: Literal["peer", "floor"] | None = None
    added: bool = False

    def __str__(self) -> str:
        if self.of is None:
            return f"{self.sense} {self.bound:,g}"
        if self.added:
            return f"{self.sense} {self.of} + {self.bound:,g}"
        return f"{self.sense} {self.of}" if self.bound == 1 else f"{self.sense} {self.bound:.3g} × {self.of}"

    def met(self, rounds: list[Round]) -> bool | None:
        """Returns whether the median of the rounds meets the bound. With `of`, the median of the ratios is
        taken. With `added`, the median of the differences is taken. Returns None if nothing was measured."""
        pairs = [
            (one["ours"], 1.0 if self.of is None else one[self.of])
            for one in rounds
            if "ours" in one and (self.of is None or self.of in one)
        ]
        if not pairs:
            return None
        if self.added:
            pairs = [(ours - unit, 1.0) for ours, unit in pairs]
        # If the floor or the peer is 0, only 0 meets an upper bound.
        ratios = [ours / unit if unit else (0.0 if not ours else float("inf")) for ours, unit in pairs]
        ratio = statistics.median(ratios)
        return ratio <= self.bound if self.sense == "≤" else ratio >= self.bound


def at_most(bound: float, of: Literal["peer", "floor"] | None = None) -> Goal:
    return Goal("≤", bound, of)


def at_most_beyond(bound: float, of: Literal["peer", "floor"]) -> Goal:
    return Goal("≤", bound, of, added=True)


def at_least(bound: float, of: Literal["peer", "floor"] | None = None) -> Goal:
    return Goal("≥", bound, of)


class Tool(enum.Enum):
    """The tool under which a program runs."""

    PLAIN = "plain"
    PATIENT = "patient"
    """No tool, as in PLAIN. The program boots guests, and may take half an hour."""
    CALLGRIND = "callgrind"
    """The program runs under valgrind twice, with n and with 2n operations. The difference of the two runs
    is the cost of n operations."""
    COUNTERS = "counters"
    """A preloaded library counts calls of the allocator and wake-ups; see bench/c/counters.h."""
    LIVE = "live"
    """malloc runs without its caches for threads, because malloc's statistics count free memory in these
    caches as used."""


class World(enum.Enum):
    """Where a program runs."""

    SIMULATED = "simulated"
    """On the simulated hypervisor."""
    XEN = "xen"
    """On the real Xen in the virtual machine."""
    OWN = "own"
    """On this machine. The program starts its virtual machines itself."""


@dataclass(frozen=True)
class Line:
    """One line of the table. `ours`, `peer` and `floor` are programs with their arguments.

    In the arguments {n} stands for `n`, or for `quick` in quick runs. A program is a file in build/bench, or
    NAME.py in bench/python. It prints one JSON object, whose member `key` is the measured number.
    """

    row: int
    what: str
    unit: str
    key: str
    ours: str
    peer: str | None = None
    peer_name: str | None = None
    floor: str | None = None
    goal: Goal | None = None
    peer_key: str | None = None
    """The member of the peer's JSON object that is the peer's number. None: the member is `key`."""
    n: int = 0
    quick: int = 0
    tool: Tool = Tool.PLAIN
    once: bool = False
    """True: the line is measured in one round only, because a round takes long, or because each round gives
    the same number."""
    size: int | None = None
    """What the cost may depend on, for example the number of domains. curve.py makes a curve of the lines
    that differ only in their size. None: the line belongs to no curve."""
    world: World = World.SIMULATED

    def subjects(self) -> dict[Subject, str]:
        programs: dict[Subject, str | None] = {"ours": self.ours, "peer": self.peer, "floor": self.floor}
        return {subject: program for subject, program in programs.items() if program is not None}

    def object(self, rounds: list[Round]) -> Object:
        """Returns the line of build/bench.json that the rounds give."""

        def median(subject: str) -> float | None:
            values = [one[subject] for one in rounds if subject in one]
            return float(f"{statistics.median(values):.4g}") if values else None

        return {
            "row": self.row,
            "what": self.what,
            "unit": self.unit,
            "ours": median("ours"),
            "peer": median("peer"),
            "peer_name": self.peer_name,
            "floor": median("floor"),
            "goal": None if self.goal is None else str(self.goal),
            "met": None if self.goal is None else self.goal.met(rounds),
        }
