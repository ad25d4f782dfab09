# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the measurements on the terminal, and writes them into docs/speed.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .curve import curves, size_of
from .line import Object
from .rows import SIZES

MET = {True: "yes", False: "no", None: "–"}
BEGIN, END = "<!-- the tables: bench/run --keep -->\n", "<!-- the tables' end -->\n"


def number(value: object) -> str:
    if not isinstance(value, int | float):
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cells(line: Object) -> list[str]:
    peer, name = number(line["peer"]), line["peer_name"]
    return [
        str(line["row"]),
        str(line["what"]),
        str(line["unit"]),
        number(line["ours"]),
        f"{peer} ({name})" if name else peer,
        number(line["floor"]),
        str(line["goal"] or "–"),
        MET[line["met"]],  # type: ignore[index]
    ]


TITLES = ("row", "what", "unit", "ours", "peer", "floor", "goal", "met")


def show(lines: Iterable[Object], console: Console) -> None:
    table = Table(*TITLES, box=None, header_style="bold", collapse_padding=True, pad_edge=False)
    for title in "ours", "peer", "floor":
        table.columns[TITLES.index(title)].justify = "right"
    for line in lines:
        style = {True: "green", False: "red", None: ""}[line["met"]]  # type: ignore[index]
        table.add_row(*cells(line), style=style)
    console.print(table)


def keep(lines: list[Object], page: Path) -> None:
    """Writes two tables into the page, between the marks in the page. One table has the lines with a goal
    of their own. The other table has the curves."""
    goals = [cells(line) for line in lines if line["goal"] not in (None, "≤ peer") or size_of(line) is None]
    text = [*markdown(TITLES, "rlcrrrlc", goals), "", "## How it grows", ""]
    grown = [
        [str(curve.row), curve.what, curve.unit, name, *[number(points.get(size)) for size in SIZES]]
        for curve in curves(lines)
        for name, points in curve.subjects.items()
        if points.keys() & set(SIZES)
    ]
    text += markdown(("row", "what", "unit", "of", *[f"N = {size:,}" for size in SIZES]), "rlclrrrr", grown)
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n".join(text) + "\n" + END + rest.split(END)[1])


def markdown(titles: Iterable[str], sides: str, rows: Iterable[list[str]]) -> list[str]:
    rules = {"l": "---", "r": "---:", "c": ":---:"}
    return [f"| {' | '.join(row)} |" for row in (titles, [rules[side] for side in sides], *rows)]
