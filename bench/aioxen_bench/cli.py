# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of bench/run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console

from . import report
from .line import Round
from .measure import BENCH, BUILD
from .rows import LINES

ROOT = BENCH.parent
ROWS = sorted({line.row for line in LINES})


def measured(row: int, rounds: int, quick: bool) -> dict[int, list[Round]]:
    """The rounds of each line of a row, measured in a world of its own."""
    found: dict[int, list[Round]] = {index: [] for index, line in enumerate(LINES) if line.row == row}
    for on_xen in False, True:
        indices = [str(index) for index in found if LINES[index].on_xen == on_xen]
        if not indices:
            continue
        world = [str(ROOT / "tools/on-xen")] if on_xen else [str(ROOT / "sim/aioxen-sim"), "--"]
        arguments = ["-m", "aioxen_bench.measure", str(rounds), "quick" if quick else "full", *indices]
        done = subprocess.run(
            [*world, "/usr/bin/python3", *arguments],
            env=os.environ
            | {"PYTHONPATH": f"{BENCH}:{BUILD}/python", "PYTHONPYCACHEPREFIX": str(BUILD / "bench/pycache")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for text in done.stdout.splitlines():
            one = json.loads(text)
            found[one["line"]].append(one["round"])
    return found


@click.command()
@click.argument("rows", nargs=-1, type=click.Choice([str(row) for row in ROWS]))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Medians count.")
@click.option("--quick", is_flag=True, help="Tiny numbers, one round: whether it works, not how fast.")
@click.option("--out", type=click.Path(path_type=Path), default=BUILD / "bench.json", show_default=True)
@click.option("--keep", is_flag=True, help="Also bench/last.json, and the table in docs/speed.md.")
def main(rows: tuple[str, ...], rounds: int, quick: bool, out: Path, keep: bool) -> None:
    """Measure ROWS of the table (all of them), print it and write it to build/bench.json."""
    console = Console(width=None if sys.stdout.isatty() else 170)
    lines: list[report.Object] = []
    for row in [int(row) for row in rows] or ROWS:
        try:
            with console.status(f"row {row}"):
                found = measured(row, 1 if quick else rounds, quick)
        except subprocess.CalledProcessError as error:
            raise click.ClickException(f"row {row} could not be measured") from error
        lines += [LINES[index].object(found[index]) for index in found]
    report.show(lines, console)
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(lines, indent=1, ensure_ascii=False) + "\n"
    out.write_text(text)
    if keep:
        (BENCH / "last.json").write_text(text)
        report.keep(lines, ROOT / "docs/speed.md")
