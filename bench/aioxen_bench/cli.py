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
from .curve import curves
from .line import Object, Round, World
from .measure import BENCH, BUILD
from .rows import LINES

ROOT = BENCH.parent
LAST = BENCH / "last.json"
WORLDS = {
    World.SIMULATED: [str(ROOT / "sim/aioxen-sim"), "--"],
    World.XEN: [str(ROOT / "tools/on-xen")],
    World.OWN: [],
}
"""For each world (line.py), the first words of the command that runs a program there."""
ROWS = sorted({line.row for line in LINES})


def measured(row: int, rounds: int, quick: bool) -> dict[int, list[Round]]:
    """Measures a row, in its own simulated machine. Returns the rounds of each line of the row, by the line's
    index in LINES."""
    found: dict[int, list[Round]] = {index: [] for index, line in enumerate(LINES) if line.row == row}
    for world, command in WORLDS.items():
        indices = [str(index) for index in found if LINES[index].world is world]
        if not indices:
            continue
        arguments = ["-m", "aioxen_bench.measure", str(rounds), "quick" if quick else "full", *indices]
        done = subprocess.run(
            [*command, "/usr/bin/python3", *arguments],
            env=os.environ | {"PYTHONPATH": f"{BENCH}:{BUILD}/python", "PYTHONDONTWRITEBYTECODE": "1"},
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
@click.argument("rows", nargs=-1, metavar="[ROWS]...", type=click.Choice([str(row) for row in ROWS]))
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="The median of the rounds is reported.",
)
@click.option("--quick", is_flag=True, help="Tiny numbers and one round: checks that the programs work.")
@click.option("--out", type=click.Path(path_type=Path), default=BUILD / "bench.json", show_default=True)
@click.option("--keep", is_flag=True, help="Also replace these rows in bench/last.json and docs/speed.md.")
@click.option("--plot", is_flag=True, help="Measure nothing; draw how costs grow, from the file of --out.")
def main(rows: tuple[str, ...], rounds: int, quick: bool, out: Path, keep: bool, plot: bool) -> None:
    """Measures ROWS of the table (default: all), prints the results and writes them to build/bench.json."""
    if plot:
        from .plot import draw  # The module is imported here because importing matplotlib takes long.

        try:
            drawn = curves(json.loads(out.read_text()))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise click.ClickException(f"{out}: not a file of measurements: {error}") from None
        if not drawn:
            raise click.ClickException(f"{out}: it has no row that is measured at several sizes")
        for picture in draw(drawn, out.parent / "bench"):
            click.echo(picture)
        return
    console = Console(width=None if sys.stdout.isatty() else 170)
    lines: list[Object] = []
    failed: list[str] = []
    for row in [int(row) for row in rows] or ROWS:
        try:
            with console.status(f"row {row}"):
                found = measured(row, 1 if quick else rounds, quick)
        except subprocess.CalledProcessError:
            failed.append(str(row))
            continue
        lines += [LINES[index].object(found[index]) for index in found]
    report.show(lines, console)
    out.parent.mkdir(parents=True, exist_ok=True)
    write(out, lines)
    goals = [line["met"] for line in lines if line["met"] is not None]
    console.print(f"{goals.count(True)} of {len(goals)} goals are met; written to {out}", soft_wrap=True)
    if keep:
        kept = renewed(json.loads(LAST.read_text()), lines) if LAST.exists() else lines
        write(LAST, kept)
        report.keep(kept, ROOT / "docs/speed.md")
    if failed:
        raise click.ClickException(f"these rows could not be measured: {', '.join(failed)}")


def write(path: Path, lines: list[Object]) -> None:
    path.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n")


def renewed(kept: list[Object], lines: list[Object]) -> list[Object]:
    """Returns the lines of `kept`. The rows that `lines` has are taken from `lines` instead."""
    rows = {line["row"] for line in lines}
    return sorted(
        [*lines, *(line for line in kept if line["row"] not in rows)], key=lambda line: int(str(line["row"]))
    )
