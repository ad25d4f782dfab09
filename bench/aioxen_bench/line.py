# SPDX-License-Identifier: LGPL-2.1-or-later
"""One line of the table, and whether its goal is met."""

from __future__ import annotations

import enum
import statistics
from dataclasses import dataclass
from typing import Literal

Object = dict[str, object]
"""A line of build/bench.json."""
Subject = Literal["ours", "peer", "floor"]
Round = dict[str, float]
"""The numbers of one round: "ours" and, if the line has them, "peer" and "floor"."""


@dataclass(frozen=True)
class Goal:
    """A bound on the number of "ours". With `of`, the bound is a multiple of that subject's number in the
    round."""

    sense: Literal["≤", "≥"]
    bound: float
    of: Literal["peer", "floor"] | None = None

    def __str__(self) -> str:
        if self.of is None:
            return f"{self.sense} {self.bound:,g}"
        return f"{self.sense} {self.of}" if self.bound == 1 else f"{self.sense} {self.bound:.3g} × {self.of}"

    def met(self, rounds: list[Round]) -> bool | None:
        """Returns whether the median of the rounds, or of their ratios, meets the bound. None: nothing
        was measured."""
        pairs = [
            (one["ours"], 1.0 if self.of is None else one[self.of])
            for one in rounds
            if "ours" in one and (self.of is None or self.of in one)
        ]
        if not pairs:
            return None
        # If the floor or the peer is 0, only 0 meets an upper bound.
        ratios = [ours / unit if unit else (0.0 if not ours else float("inf")) for ours, unit in pairs]
        ratio = statistics.median(ratios)
        return ratio <= self.bound if self.sense == "≤" else ratio >= self.bound


def at_most(bound: float, of: Literal["peer", "floor"] | None = None) -> Goal:
    return Goal("≤", bound, of)


def at_least(bound: float, of: Literal["peer", "floor"] | None = None) -> Goal:
    return Goal("≥", bound, of)


class Tool(enum.Enum):
    """The tool under which a program runs."""

    PLAIN = "plain"
    CALLGRIND = "callgrind"
    """The program runs under valgrind twice, with n and with 2n operations. The difference is the cost of
    n."""
    COUNTERS = "counters"
    """A preloaded library counts calls of the allocator and wakes (bench/c/counters.h)."""
    LIVE = "live"
    """malloc runs without its caches per thread, because it counts free memory in these caches as used."""


@dataclass(frozen=True)
class Line:
    """One line of the table. `ours`, `peer` and `floor` are programs with their arguments.

    In the arguments {n} stands for `n`, or for `quick` in quick runs. A program is a file in build/bench, or
    NAME.py in bench/python. It prints one JSON object; the member `key` is the number.
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
    """The member that is the peer's number, if it is not `key`."""
    n: int = 0
    quick: int = 0
    tool: Tool = Tool.PLAIN
    once: bool = False
    """The line is measured in one round only: a round takes long, or gives the same number each time."""
    size: int | None = None
    """The line is a point of a curve, at this size."""
    on_xen: bool = False
    """The line is measured on the real Xen in the virtual machine, not on the simulated hypervisor."""

    def subjects(self) -> dict[Subject, str]:
        programs: dict[Subject, str | None] = {"ours": self.ours, "peer": self.peer, "floor": self.floor}
        return {subject: program for subject, program in programs.items() if program is not None}

    def object(self, rounds: list[Round]) -> Object:
        """Makes the line of build/bench.json from its rounds."""

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
