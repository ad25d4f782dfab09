# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was measured, for people: on the terminal, and in docs/speed.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

Object = dict[str, object]
HEAD = ("row", "what", "unit", "ours", "peer", "peer_name", "floor", "goal", "met")
MET = {True: "yes", False: "no", None: "–"}
BEGIN, END = "<!-- the table: bench/run --keep -->\n", "<!-- the table's end -->\n"


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
    table = Table(*TITLES, box=None, header_style="bold")
    for title in "ours", "peer", "floor":
        table.columns[TITLES.index(title)].justify = "right"
    for line in lines:
        style = {True: "green", False: "red", None: ""}[line["met"]]  # type: ignore[index]
        table.add_row(*cells(line), style=style)
    console.print(table)


def keep(lines: Iterable[Object], page: Path) -> None:
    """Put the table into the page, between its marks."""
    rule = " | ".join(["---:", "---", "---", "---:", "---:", "---:", "---", "---"])
    rows = [f"| {' | '.join(TITLES)} |", f"| {rule} |", *(f"| {' | '.join(cells(line))} |" for line in lines)]
    text = page.read_text()
    before, rest = text.split(BEGIN)
    page.write_text(before + BEGIN + "\n".join(rows) + "\n" + END + rest.split(END)[1])
