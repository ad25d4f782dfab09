# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test of every C program is an item here. Runs inside a world, simulated or real.

A program runs once, for all of its tests that were selected; when it dies, the test that was under way has
failed, and the program is started again for those after it.
"""

import functools
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))
LIMIT_S = float(os.environ.get("AIOXEN_TEST_LIMIT", "300"))
LINE = re.compile(r"\[ +(RUN|OK|FAILED|ERROR|SKIPPED) +\] (.+)")

SIMULATED = "AIOXEN_SIM_DIR" in os.environ
# In unit/ no hypervisor is needed, and once is enough; in sim/ calls are made to fail and to wait.
FOLDERS = ["", "sim", "unit"] if SIMULATED else [""]
SOURCES = [source for folder in FOLDERS for source in sorted((HERE / folder).glob("*.c"))]
PROGRAMS = [str(source.relative_to(HERE).with_suffix("")) for source in SOURCES if source.stem != "stress"]
# Nothing that has an allocator of its own runs beside another; valgrind (3.19) does not know pidfd_open.
CHILDREN = ["unit/children", "unit/programs", "unit/faults_core"]
ALLOCATORS = ["sim/memory", "unit/xenstore_memory"]
CANNOT = {"asan": ALLOCATORS, "tsan": ALLOCATORS, "valgrind": [*ALLOCATORS, *CHILDREN]}
PROGRAMS = [name for name in PROGRAMS if name not in CANNOT.get(os.environ.get("AIOXEN_SANITIZER", ""), [])]
UNDER = shlex.split(os.environ.get("AIOXEN_TEST_UNDER", ""))
# Where each body runs in a few ways only: support/harness.h.
SLOW = not SIMULATED or bool(UNDER)
# The ways to xenstored: the wire, which is the usual one, and libxenstore, for those that depend on it.
WIRE, LIBXENSTORE = 0, 1
WAYS = [(program, WIRE) for program in PROGRAMS]
if SIMULATED:
    WAYS += [(name, LIBXENSTORE) for name in ("abort", "contract", "disk_eject", "domains", "sim/faults")]


def launch(program: str, way: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    path = BUILD / "tests/c" / program
    assert path.exists(), f"{path} is missing: make tests"
    settings = {"AIOXEN_TEST_KERNEL": str(ROOT / "build/guest/tiny"), "AIOXEN_TEST_FLAGS": str(way)}
    if SLOW or way == LIBXENSTORE:
        settings["AIOXEN_TEST_WAYS"] = "few"
    return subprocess.run(
        [*UNDER, path, *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIMIT_S,
    )


def in_a_world() -> bool:
    capabilities = Path("/proc/xen/capabilities")
    return SIMULATED or (capabilities.exists() and "control_d" in capabilities.read_text())


@functools.cache
def outcomes(program: str, way: int, wanted: tuple[str, ...]) -> dict[str, str]:
    """What each test of a program said; an empty text: it passed."""
    results: dict[str, str] = {}
    while missing := [name for name in wanted if name not in results]:
        done = launch(program, way, *missing)
        said: list[str] = []
        running = missing[0]
        for line in done.stdout.splitlines():
            said.append(line)
            if not (mark := LINE.match(line)):
                continue
            if mark[1] == "RUN":
                running, said = mark[2], []
            elif mark[2] == running and running not in results:
                results[running] = "" if mark[1] == "OK" else "\n".join(said)
        if running not in results:
            said.append(f"{program} ended with status {done.returncode} in this test")
            launch(program, way, "--clean")
            results[running] = "\n".join(said)
        elif done.returncode and not any(results.values()):
            # A sanitizer's report, perhaps of an earlier test.
            said = [line for line in done.stdout.splitlines() if not LINE.match(line)]
            results[running] = "\n".join([*said, f"{program} ended with status {done.returncode} after all"])
    return results


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not in_a_world():
        raise pytest.UsageError("tests/c needs a world: sim/aioxen-sim -- /usr/bin/python3 -m pytest tests/c")
    items = [(*pair, name) for pair in WAYS for name in launch(*pair, "--list").stdout.split()]
    ids = [f"{program}{'@libxenstore' if way else ''}:{name}" for program, way, name in items]
    metafunc.parametrize(("program", "way", "name"), items, ids=ids)


@functools.cache
def selected(session: pytest.Session) -> dict[tuple[str, int], tuple[str, ...]]:
    """The tests of each program that are to be run."""
    names: dict[tuple[str, int], list[str]] = {}
    for item in session.items:
        if isinstance(item, pytest.Function) and item.originalname == "test_c":
            params = item.callspec.params
            names.setdefault((params["program"], params["way"]), []).append(params["name"])
    return {pair: tuple(mine) for pair, mine in names.items()}


def test_c(request: pytest.FixtureRequest, program: str, way: int, name: str) -> None:
    said = outcomes(program, way, selected(request.session)[program, way])[name]
    assert not said, said
