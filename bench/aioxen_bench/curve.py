# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups lines of the table into curves. The lines of a curve measure the same thing at different sizes (10,
100, ...)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .line import Object
from .rows import LINES

_SIZES = {(line.row, line.what, line.unit): line.size for line in LINES}


@dataclass
class Curve:
    row: int
    what: str
    """The lines' text `what`, with N in place of the size."""
    unit: str
    subjects: dict[str, dict[int, float]] = field(default_factory=dict)
    """The measured numbers by size, for "ours", for "floor" and for each peer by name."""

    def add(self, size: int, line: Object) -> None:
        for subject in "ours", "floor", "peer":
            number = line[subject]
            name = str(line["peer_name"]) if subject == "peer" else subject
            if isinstance(number, int | float) and number > 0:
                self.subjects.setdefault(name, {})[size] = float(number)


def size_of(line: Object) -> int | None:
    """Returns the size at which a line was measured, or None if the line is not a point of a curve."""
    return _SIZES[int(str(line["row"])), str(line["what"]), str(line["unit"])]


def curves(lines: list[Object]) -> list[Curve]:
    """Returns the curves that the lines form, in the order of the lines."""
    found: dict[tuple[int, str], Curve] = {}
    for line in lines:
        row, what, unit = int(str(line["row"])), str(line["what"]), str(line["unit"])
        size = size_of(line)
        if size is not None:
            what = what.replace(f"{size:,}", "N")
            found.setdefault((row, what), Curve(row, what, unit)).add(size, line)
    return list(found.values())
