# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's xl does the same on Debian's libxl and on this library.

Each script of xl/ runs twice, on a simulated Xen machine of its own: with Debian's libxenlight and with the
drop-in. For each command the test compares the output, the exit status, and the changes in xenstore and in
the files of Xen's directories. xl_differences.toml lists the intended differences.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from limits import scaled

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
SCRIPTS = sorted(path.stem for path in (HERE / "xl").glob("*.sh"))
LIBRARIES = ("libxl", "aioxen")
LIMIT_S = scaled(100)
LEAST_COMMANDS = 150
SAME = "(not changed)"

Record = dict[str, Any]
Difference = tuple[str, str, str, str]
"""The kind (nodes, files, output or status), the place, libxl's value and this library's value."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[Record]]:
    """Returns what each command of each script does with each library."""
    work = tmp_path_factory.mktemp("xl")
    pairs = [(script, library) for script in SCRIPTS for library in LIBRARIES]
    with ThreadPoolExecutor(max_workers=6) as pool:
        done = pool.map(lambda pair: run(*pair, work / "-".join(pair)), pairs)
        return dict(zip(pairs, done, strict=True))


def run(script: str, library: str, folder: Path) -> list[Record]:
    kernel = BUILD / "guest/tiny"
    folder.mkdir()
    for path in (HERE / "xl").glob("*.cfg"):
        (folder / path.name).write_text(path.read_text().replace("KERNEL", str(kernel)))
    env = os.environ | {"AIOXEN_TEST_KERNEL": str(kernel)}
    env.pop("AIOXEN_DROPIN", None)
    if library == "aioxen":
        env["AIOXEN_DROPIN"] = str(BUILD / "dropin")
    done = subprocess.run(
        [ROOT / "sim/aioxen-sim", "--", HERE / "xl_run.py", HERE / f"xl/{script}.sh"],
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout.replace(str(folder), "FOLDER").replace(str(kernel), "KERNEL")
    return [json.loads(line) for line in text.splitlines()]


@functools.cache
def table() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads((HERE / "xl_differences.toml").read_text())["difference"]
    return rows


def differences(theirs: Record, ours: Record) -> Iterator[Difference]:
    if theirs["status"] != ours["status"]:
        yield "status", theirs["command"], str(theirs["status"]), str(ours["status"])
    for kind in "nodes", "files":
        for path in sorted(theirs[kind].keys() | ours[kind].keys()):
            before, now = (str(record[kind].get(path, SAME)) for record in (theirs, ours))
            if before != now:
                yield kind, path, before, now
    lines = difflib.SequenceMatcher(None, theirs["output"], ours["output"], autojunk=False)
    for what, a, b, c, d in lines.get_opcodes():
        if what != "equal":
            yield (
                "output",
                theirs["command"],
                "\n".join(theirs["output"][a:b]),
                "\n".join(ours["output"][c:d]),
            )


def is_row(row: dict[str, Any], difference: Difference) -> bool:
    """Returns whether the row lists this difference. A row's texts are regular expressions."""
    kind, *texts = difference
    given = (row[kind], row.get("libxl", ".*"), row.get("aioxen", ".*")) if kind in row else None
    return given is not None and all(
        re.fullmatch(pattern, text, re.DOTALL) for pattern, text in zip(given, texts, strict=True)
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_xl_does_the_same(script: str, runs: dict[tuple[str, str], list[Record]]) -> None:
    theirs, ours = (runs[script, library] for library in LIBRARIES)
    assert [record["command"] for record in theirs] == [record["command"] for record in ours]
    wrong = []
    for one, other in zip(theirs, ours, strict=True):
        unlisted = [d for d in differences(one, other) if not any(is_row(row, d) for row in table())]
        wrong += [f"$ {one['command']}", *map(repr, unlisted)] if unlisted else []
    assert not wrong, "\n".join(wrong)


def test_every_row_of_the_table_is_a_difference(runs: dict[tuple[str, str], list[Record]]) -> None:
    found = [
        difference
        for script in SCRIPTS
        for pair in zip(*(runs[script, library] for library in LIBRARIES), strict=True)
        for difference in differences(*pair)
    ]
    assert all(row["reason"] for row in table())
    unused = [row for row in table() if not any(is_row(row, difference) for difference in found)]
    assert unused == []


def test_the_list_is_long_enough(runs: dict[tuple[str, str], list[Record]]) -> None:
    commands = [r["command"] for script in SCRIPTS for r in runs[script, "aioxen"] if "xl" in r["command"]]
    assert len(commands) >= LEAST_COMMANDS
