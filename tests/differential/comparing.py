# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs scripts of commands with Debian's libxenlight and with this library in its place (the drop-in), and
compares what the commands do.

Each script runs on two Xen machines of its own, simulated or real: one for each library. For each command
these are compared: the output, the exit status, and the changes in xenstore and in the files of Xen's
directories. In a simulated machine the hypercalls that change something are compared, too. A table,
*_differences.toml, lists the intended differences.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from limits import scaled

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
KERNEL = BUILD / "guest/tiny"
LIBRARIES = ("libxl", "aioxen")
LIMIT_S = scaled(200)
SIMULATED: list[str | Path] = [ROOT / "sim/aioxen-sim"]
VARIABLES = ("AIOXEN_TEST_KERNEL", "AIOXEN_DROPIN")
REAL: list[str | Path] = [ROOT / "vm/aioxen-vm", "--timeout", str(LIMIT_S)]
REAL += [word for name in VARIABLES for word in ("--env", name)]
SAME = "(not changed)"
KINDS = ("nodes", "files", "calls")

Record = dict[str, Any]
Difference = tuple[str, str, str, str]
"""A difference: its kind (nodes, files, calls, output or status), its place, libxl's value and this library's
value."""


@dataclass
class Scripts:
    """The scripts in a folder, and the table of their intended differences.

    The rows of the table `shared` list differences, too. `configurations` is the folder of the domains'
    files, if it is not `folder`. `real`: the scripts run on a real Xen, in the virtual machine.
    """

    folder: Path
    table_file: Path | None = None
    shared: Path | None = None
    configurations: Path | None = None
    libvirt: bool = False
    real: bool = False

    @cached_property
    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.sh"))

    @cached_property
    def table(self) -> list[dict[str, Any]]:
        return rows_of(self.table_file) if self.table_file else []

    @cached_property
    def listed(self) -> list[dict[str, Any]]:
        return self.table + (rows_of(self.shared) if self.shared else [])

    def run_all(self, work: Path) -> Runs:
        """Returns the effects of each command of each script with each library."""
        pairs = [(script, library) for script in self.names for library in LIBRARIES]
        with ThreadPoolExecutor(max_workers=6) as pool:
            done = pool.map(lambda pair: self.run(*pair, self.folder_of(*pair, work)), pairs)
            return dict(zip(pairs, done, strict=True))

    @staticmethod
    def folder_of(script: str, library: str, work: Path) -> Path:
        """Returns a path of the same length for both libraries, because tables are as wide as a path."""
        return work / f"{script}-{LIBRARIES.index(library)}"

    def run(self, script: str, library: str, folder: Path) -> list[Record]:
        folder.mkdir()
        for pattern in "*.cfg", "*.xml":
            for path in (self.configurations or self.folder).glob(pattern):
                text = path.read_text().replace("KERNEL", str(KERNEL)).replace("FOLDER", str(folder))
                (folder / path.name).write_text(text)
        env = os.environ | {
            "AIOXEN_TEST_KERNEL": str(KERNEL),
            "FAR": str(HERE / "far"),
            "RELAY": str(HERE / "relay"),
        }
        env.pop("AIOXEN_DROPIN", None)
        if library == "aioxen":
            env["AIOXEN_DROPIN"] = str(BUILD / "dropin")
        if self.libvirt:
            env["AIOXEN_LIBVIRT"] = str(BUILD / "libvirt")
        (folder / "trace").touch()
        world = REAL if self.real else [*SIMULATED, "--trace", folder / "trace"]
        done = subprocess.run(
            [*world, "--", HERE / "run_script.py", self.folder / f"{script}.sh"],
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, done.stderr
        text = done.stdout.replace(str(folder), "FOLDER").replace(str(KERNEL), "KERNEL")
        return [json.loads(line) for line in text.splitlines()]

    def unlisted(self, runs: Runs, script: str) -> list[str]:
        """Returns the commands of a script whose effects differ, with the differences that no table lists."""
        theirs, ours = (runs[script, library] for library in LIBRARIES)
        assert [record["command"] for record in theirs] == [record["command"] for record in ours]
        wrong = []
        for one, other in zip(theirs, ours, strict=True):
            found = [d for d in differences(one, other) if not self.is_listed(one["command"], d)]
            wrong += [f"$ {one['command']}", *map(repr, found)] if found else []
        return wrong

    def is_listed(self, command: str, difference: Difference) -> bool:
        return any(is_row(row, command, difference) for row in self.listed)

    def unused(self, runs: Runs) -> list[dict[str, Any]]:
        """Returns the rows of the table for which there is no difference."""
        found = [
            (one["command"], difference)
            for script in self.names
            for one, other in zip(*(runs[script, library] for library in LIBRARIES), strict=True)
            for difference in differences(one, other)
        ]
        return [row for row in self.table if not any(is_row(row, *one) for one in found)]


Runs = dict[tuple[str, str], list[Record]]


def rows_of(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(file.read_text())["difference"]
    return rows


def differences(theirs: Record, ours: Record) -> Iterator[Difference]:
    if theirs["status"] != ours["status"]:
        yield "status", theirs["command"], str(theirs["status"]), str(ours["status"])
    for kind in KINDS:
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


def is_row(row: dict[str, Any], command: str, difference: Difference) -> bool:
    """Returns whether the row lists this difference of a command. A row's texts are regular expressions."""
    kind, *texts = difference
    given = (row[kind], row.get("libxl", ".*"), row.get("aioxen", ".*")) if kind in row else None
    return (
        given is not None
        and re.fullmatch(row.get("command", ".*"), command) is not None
        and all(re.fullmatch(pattern, text, re.DOTALL) for pattern, text in zip(given, texts, strict=True))
    )
