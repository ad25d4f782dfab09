# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes every test of every C program a pytest item. Runs on a Xen machine, simulated or real.

A program runs once for all of its selected tests. If the program dies, the running test has failed. The
program is then started again for the remaining tests.
"""

import functools
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from limits import FACTOR, scaled

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))
LIMIT_S = scaled(float(os.environ.get("AIOXEN_TEST_LIMIT", "300")))
LINE = re.compile(r"\[ +(RUN|OK|FAILED|ERROR|SKIPPED) +\] (.+)")

SIMULATED = "AIOXEN_SIM_DIR" in os.environ
# The folders of the programs. In the simulator, unit/ and sim/ run, too. The programs of unit/ need no
# hypervisor. Those of sim/ make hypercalls fail and wait.
FOLDERS = ["", "sim", "unit"] if SIMULATED else [""]
SOURCES = [source for folder in FOLDERS for source in sorted((HERE / folder).glob("*.c"))]
PROGRAMS = [str(source.relative_to(HERE).with_suffix("")) for source in SOURCES if source.stem != "stress"]
# The programs that valgrind cannot run. It lacks pidfd_open in version 3.19. Programs that replace malloc do
# not run under tools that also replace malloc.
CHILDREN = ["unit/children", "unit/programs", "unit/faults_core"]
ALLOCATORS = [
    "sim/memory",
    "unit/device_events",
    "unit/exhaustion",
    "unit/sweep",
    "unit/usb_undo",
    "unit/withdrawals",
    "unit/xenstore_memory",
]
CANNOT = {"asan": ALLOCATORS, "tsan": ALLOCATORS, "valgrind": [*ALLOCATORS, *CHILDREN]}
PROGRAMS = [name for name in PROGRAMS if name not in CANNOT.get(os.environ.get("AIOXEN_SANITIZER", ""), [])]
UNDER = shlex.split(os.environ.get("AIOXEN_TEST_UNDER", ""))
# The transports to xenstored. The default is the wire protocol. Some programs also run with libxenstore.
WIRE, LIBXENSTORE = 0, 1
WAYS = [(program, WIRE) for program in PROGRAMS]
if SIMULATED:
    ON_LIBXENSTORE = [
        "abort",
        "contract",
        "disk_eject",
        "domains",
        "sim/faults",
        "store",
        "unit/unreachable",
        "unit/xenstored_lost",
        "unit/xenstored_silent",
    ]
    WAYS += [(name, LIBXENSTORE) for name in ON_LIBXENSTORE]


def launch(program: str, way: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    path = BUILD / "tests/c" / program
    assert path.exists(), f"{path} is missing: make tests"
    settings = {"AIOXEN_TEST_KERNEL": str(ROOT / "build/guest/tiny"), "AIOXEN_TEST_FLAGS": str(way)}
    settings["AIOXEN_TEST_FACTOR"] = str(FACTOR)
    # The ways of support/harness.h test the core. The simulator covers all ways, so few are enough here.
    if not SIMULATED:
        settings["AIOXEN_TEST_WAYS"] = "two"
    elif UNDER or way == LIBXENSTORE:
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
    """Runs the tests of a program. Returns the output of each failed test, and "" for each passed test."""
    results: dict[str, str] = {}
    while missing := [name for name in wanted if name not in results]:
        done = launch(program, way, *missing)
        output: list[str] = []
        running = missing[0]
        for line in done.stdout.splitlines():
            output.append(line)
            if not (mark := LINE.match(line)):
                continue
            if mark[1] == "RUN":
                running, output = mark[2], []
            elif mark[2] == running and running not in results:
                results[running] = "" if mark[1] == "OK" else "\n".join(output)
        if running not in results:
            output.append(f"{program} ended with status {done.returncode} in this test")
            launch(program, way, "--clean")
            results[running] = "\n".join(output)
        elif done.returncode and not any(results.values()):
            # The remaining output is a sanitizer's report. It may concern an earlier test.
            output = [line for line in done.stdout.splitlines() if not LINE.match(line)]
            results[running] = "\n".join(
                [*output, f"{program} ended with status {done.returncode} after its last test"]
            )
    return results


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not in_a_world():
        raise pytest.UsageError("tests/c needs a world: sim/aioxen-sim -- /usr/bin/python3 -m pytest tests/c")
    items = [(*pair, name) for pair in WAYS for name in launch(*pair, "--list").stdout.split()]
    ids = [f"{program}{'@libxenstore' if way else ''}:{name}" for program, way, name in items]
    metafunc.parametrize(("program", "way", "name"), items, ids=ids)


@functools.cache
def selected(session: pytest.Session) -> dict[tuple[str, int], tuple[str, ...]]:
    """Returns the selected tests of each program."""
    names: dict[tuple[str, int], list[str]] = {}
    for item in session.items:
        if isinstance(item, pytest.Function) and item.originalname == "test_c":
            params = item.callspec.params
            names.setdefault((params["program"], params["way"]), []).append(params["name"])
    return {pair: tuple(mine) for pair, mine in names.items()}


def test_c(request: pytest.FixtureRequest, program: str, way: int, name: str) -> None:
    output = outcomes(program, way, selected(request.session)[program, way])[name]
    assert not output, output
