# SPDX-License-Identifier: LGPL-2.1-or-later
"""The measuring programs work, and their output has the expected form. No test asserts a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from limits import scaled

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
KEYS = {"row", "what", "unit", "ours", "peer", "peer_name", "floor", "goal", "met"}
sys.path.insert(0, str(ROOT / "bench"))

from aioxen_bench import report  # noqa: E402
from aioxen_bench.curve import curves  # noqa: E402
from aioxen_bench.line import Line, Round, World, at_least, at_most, at_most_beyond  # noqa: E402
from aioxen_bench.rows import LINES  # noqa: E402

LIMIT_S = scaled(75)
IN_THE_SIMULATION = sorted({line.row for line in LINES if line.world is World.SIMULATED})


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "bench/run", *arguments], capture_output=True, text=True, timeout=LIMIT_S, cwd=ROOT
    )


def test_all_rows_are_there() -> None:
    assert {line.row for line in LINES} == set(range(1, 32))


@pytest.mark.parametrize("row", IN_THE_SIMULATION)
def test_a_row_is_measured(row: int, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = bench(str(row), "--quick", "--out", str(out))
    assert done.returncode == 0, done.stderr
    objects: list[dict[str, Any]] = json.loads(out.read_text())
    lines = [line for line in LINES if line.row == row]
    assert [one["what"] for one in objects] == [line.what for line in lines]
    for one, line in zip(objects, lines, strict=True):
        assert set(one) == KEYS
        assert isinstance(one["ours"], int | float)
        assert isinstance(one["peer"], int | float) == (line.peer is not None) == bool(one["peer_name"])
        assert isinstance(one["floor"], int | float) == (line.floor is not None)
        assert isinstance(one["met"], bool) == (one["goal"] is not None)
        assert one["what"] in " ".join(done.stdout.split()) or len(one["what"]) > 60


def round_of(ours: float, peer: float = 0, floor: float = 0) -> Round:
    return {"ours": ours, "peer": peer, "floor": floor}


@pytest.mark.parametrize(
    ("goal", "rounds", "met"),
    [
        (at_most(5), [round_of(4), round_of(5), round_of(90)], True),
        (at_most(5), [round_of(4), round_of(6), round_of(90)], False),
        (at_least(1.9), [round_of(2)], True),
        (at_least(1.9), [round_of(1.8)], False),
        # Each round has its own ratio. The goal applies to the median of these ratios.
        (at_most(1, of="peer"), [round_of(1, 2), round_of(10, 11), round_of(5, 1)], True),
        (at_most(1, of="peer"), [round_of(1, 2), round_of(12, 11), round_of(5, 1)], False),
        (at_most(2, of="floor"), [round_of(3, 0, 1.5)], True),
        (at_most(2, of="floor"), [round_of(3.1, 0, 1.5)], False),
        (at_most_beyond(5, of="floor"), [round_of(9, 0, 4), round_of(2, 0, 1), round_of(90, 0, 1)], True),
        (at_most_beyond(5, of="floor"), [round_of(9, 0, 3.9)], False),
        (at_most(1, of="floor"), [round_of(0, 0, 0)], True),
        (at_most(1, of="floor"), [round_of(1, 0, 0)], False),
        (at_most(5), [], None),
        (at_most(5, of="peer"), [{"ours": 3.0}], None),
    ],
)
def test_a_goal_is_met_by_the_median(goal: Any, rounds: list[Round], met: bool | None) -> None:
    assert goal.met(rounds) is met


def test_the_median_of_the_rounds_is_written() -> None:
    line = Line(1, "this", "ns", "ns", "ours", "peer", "its name", goal=at_most(2, of="peer"))
    assert line.object([round_of(3, 1), round_of(1, 1), round_of(2, 7)]) == {
        "row": 1,
        "what": "this",
        "unit": "ns",
        "ours": 2,
        "peer": 1,
        "peer_name": "its name",
        "floor": 0,
        "goal": "≤ 2 × peer",
        "met": True,
    }


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    program = BUILD / "bench/aioxen/listing"
    done = subprocess.run([program, "10", "many"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "an argument is not a number" in done.stderr
    done = bench("99")
    assert done.returncode == 2
    assert "99" in done.stderr


def test_the_kept_table_is_of_lines_that_exist() -> None:
    kept = json.loads((ROOT / "bench/last.json").read_text())
    assert {one["row"] for one in kept} == {*range(1, 19), 22, *range(24, 28), 29, 30, 31}
    known = {(line.row, line.what) for line in LINES}
    assert {(one["row"], one["what"]) for one in kept} <= known
    assert all(set(one) == KEYS for one in kept)


def test_the_page_has_the_kept_table(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text((ROOT / "docs/speed.md").read_text())
    report.keep(json.loads((ROOT / "bench/last.json").read_text()), page)
    assert page.read_text() == (ROOT / "docs/speed.md").read_text()


def test_curves_are_drawn(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    out.write_text((ROOT / "bench/last.json").read_text())
    done = bench("--plot", "--out", str(out))
    assert done.returncode == 0, done.stderr
    pictures = {path.name for path in (tmp_path / "bench").iterdir()}
    assert pictures == {f"row-{row}.svg" for row in (3, 4, 5, 6, 8, 12)}
    drawn = curves(json.loads(out.read_text()))
    assert all(len(curve.subjects["ours"]) >= 3 for curve in drawn)


def test_a_curve_s_unit_is_that_of_its_points() -> None:
    """A line in ms may have the same text as a curve whose points are in ns. The curve has the unit
    of its points."""
    descriptors = [line for line in LINES if line.what == "10,000 descriptors, all ready: one pass"]
    assert {line.unit for line in descriptors} == {"ms", "ns"}
    kept = json.loads((ROOT / "bench/last.json").read_text())
    found = [curve for curve in curves(kept) if curve.what == "N descriptors, all ready: one pass"]
    assert [curve.unit for curve in found] == ["ns"]


@pytest.mark.parametrize("text", [None, "{", "", '{"row": 1}', '[{"row": 1}]', "[1]"])
def test_nothing_measured_to_be_drawn(text: str | None, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    if text is not None:
        out.write_text(text)
    done = bench("--plot", "--out", str(out))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {out}: not a file of measurements: ")


def test_no_curve_to_be_drawn(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    kept = json.loads((ROOT / "bench/last.json").read_text())
    out.write_text(json.dumps([line for line in kept if line["row"] == 2]))
    done = bench("--plot", "--out", str(out))
    assert done.returncode == 1
    assert done.stderr == f"Error: {out}: it has no row that is measured at several sizes\n"


def test_the_page_has_no_line_without_a_number() -> None:
    """The page omits curves that have no point at the sizes of its columns."""
    text = (ROOT / "docs/speed.md").read_text().split("## How it grows")[1].split(report.END)[0]
    assert not [line for line in text.splitlines() if line.endswith("| – | – | – | – |")]
