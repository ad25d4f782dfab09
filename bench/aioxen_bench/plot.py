# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws pictures that show how costs grow. There is one picture for each row that is measured at
several sizes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import matplotlib.figure

from .curve import Curve

COLUMNS = 2
STYLES = {"ours": "o-", "floor": ":"}


def draw(curves: list[Curve], folder: Path) -> list[Path]:
    """Writes SVG files into `folder`. Returns the paths of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[int, list[Curve]] = defaultdict(list)
    for curve in curves:
        rows[curve.row].append(curve)
    return [picture(found, folder / f"row-{row}.svg") for row, found in rows.items()]


def picture(curves: list[Curve], path: Path) -> Path:
    height = -(-len(curves) // COLUMNS)
    figure = matplotlib.figure.Figure(figsize=(6 * COLUMNS, 4 * height), layout="constrained")
    for place, curve in enumerate(curves, 1):
        axes = figure.add_subplot(height, COLUMNS, place, xscale="log", yscale="log")
        axes.set_title(curve.what, fontsize="small")
        axes.set_xlabel("N")
        axes.set_ylabel(curve.unit)
        for name, points in curve.subjects.items():
            axes.plot(*zip(*sorted(points.items()), strict=True), STYLES.get(name, "s--"), label=name)
        axes.legend()
    figure.savefig(path)
    return path
