# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program compiled against Debian's libxl and against this library prints the same output.

Each program runs on a Xen machine of its own, simulated or real. With `-k sim`, the tests need no virtual
machine. differences.toml lists the intended differences.
"""

import difflib
import functools
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from limits import scaled

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
PROGRAMS = BUILD / "tests/differential"
WORLDS: dict[str, list[str | Path]] = {
    "sim": [ROOT / "sim/aioxen-sim"],
    "vm": [ROOT / "vm/aioxen-vm", "--timeout", str(scaled(400)), "-e", "AIOXEN_TEST_KERNEL"],
}
LIMIT_S = scaled(420)
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", "-pthread"]
# With LIBXL_API_VERSION, the initiators of both libraries return 0 for "started".
FLAGS += ["-DLIBXL_API_VERSION=0x041400"]
XEN = ["-lxenctrl", "-lxengnttab", "-lxentoollog"]
LIBRARIES: dict[str, tuple[list[str | Path], list[str | Path]]] = {
    "libxl": (["-O1"], ["-lxenlight"]),
    "aioxen": (
        ["-O1", "-I", ROOT / "src/include", "-I", BUILD / "gen/include"],
        ["-L", BUILD, "-laioxen", f"-Wl,-rpath,{BUILD}"],
    ),
}
# The shell script that runs on the Xen machine. Each sequence has its own process, which may hang or crash.
SCRIPT = """
cd /tmp
for name in $("$1"); do
    echo "== $name"
    timeout -s KILL "$2" "$1" "$name"
    status=$?
    [ $status -le 128 ] || echo "ended by signal $((status - 128))"
done 2>/dev/null
"""

Sequence = tuple[str, ...]
Difference = tuple[Sequence, Sequence]


@functools.cache
def program(library: str) -> Path:
    includes, libraries = LIBRARIES[library]
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    path = PROGRAMS / library
    subprocess.run(
        ["cc", *FLAGS, *includes, "-o", path, *sorted(HERE.glob("*.c")), *libraries, *XEN], check=True
    )
    return path


@functools.cache
def sequences(library: str, world: str) -> dict[str, Sequence]:
    """Returns the output of each sequence on the machine `world`, by the sequence's name."""
    done = subprocess.run(
        [*WORLDS[world], "--", "sh", "-c", SCRIPT, "sh", program(library), str(scaled(30))],
        env=os.environ | {"AIOXEN_TEST_KERNEL": str(BUILD / "guest/tiny")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
    )
    found: dict[str, Sequence] = {}
    for part in done.stdout.split("== ")[1:]:
        name, *lines = part.splitlines()
        found[name] = tuple(lines)
    return found


def names() -> list[str]:
    text = (HERE / "sequence.c").read_text()
    return [
        pv or pvh for pv, pvh in re.findall(r'^    (?:ROW\((\w+)\)|\{"(\w+@pvh)", .*),$', text, re.MULTILINE)
    ]


def rows() -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = tomllib.loads((HERE / "differences.toml").read_text())["difference"]
    return table


def listed(world: str, name: str) -> list[Difference]:
    return [
        (tuple(row["libxl"]), tuple(row["aioxen"]))
        for row in rows()
        if row["sequence"] == name.removesuffix("@pvh") and row.get("world", world) == world
    ]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("world", WORLDS)
def test_both_print_the_same(world: str, name: str) -> None:
    theirs, ours = (sequences(library, world).get(name, ()) for library in LIBRARIES)
    assert theirs and ours, f"{name} was not run: libxl {theirs}, aioxen {ours}"
    matcher = difflib.SequenceMatcher(None, theirs, ours, autojunk=False)
    found = [(theirs[a:b], ours[c:d]) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"]
    assert found == listed(world, name), "\n".join(difflib.ndiff(theirs, ours))


def test_the_differences_name_existing_sequences() -> None:
    assert {row["sequence"] for row in rows()} <= set(names())
    assert all(row["reason"] for row in rows())


def test_the_document_names_existing_tests() -> None:
    document = (ROOT / "docs/libxl-faults.md").read_text()
    found = re.findall(r"`(c|json|model|differential|gen):([^`]+)`", document)
    assert len(found) > 20
    missing = []
    for kind, name in found:
        file, _, test = name.rpartition(":")
        place = {
            "c": ROOT / f"tests/c/{file}.c",
            "json": ROOT / "tests/json" / test,
            "model": ROOT / "tests/model/test_model.py",
            "differential": HERE / "sequence.c",
            "gen": ROOT / f"tests/gen/wrong/{test}.idl",
        }[kind]
        names_it = kind in ("json", "gen") or (place.exists() and test in place.read_text())
        if not place.exists() or not names_it:
            missing.append(f"{kind}:{name}")
    assert not missing
