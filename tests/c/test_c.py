# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test of every C program is an item here. Runs inside a world, simulated or real.

A program runs once, for all of its tests that were selected; when it dies, the test that was under way has
failed, and the program is started again for those after it.
"""

import functools
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
LIMIT_S = 120
LINE = re.compile(r"\[ +(RUN|OK|FAILED|ERROR|SKIPPED) +\] (.+)")

SIMULATED = "AIOXEN_SIM_DIR" in os.environ
# In unit/ no hypervisor is needed, and once is enough; in sim/ calls are made to fail and to wait.
FOLDERS = ["", "sim", "unit"] if SIMULATED else [""]
HERE = Path(__file__).parent
SOURCES = [source for folder in FOLDERS for source in sorted((HERE / folder).glob("*.c"))]
PROGRAMS = [str(source.relative_to(HERE).with_suffix("")) for source in SOURCES if source.stem != "stress"]


def launch(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    path = BUILD / "tests/c" / program
    assert path.exists(), f"{path} is missing: make tests"
    environment = os.environ | {"AIOXEN_TEST_KERNEL": str(ROOT / "build/guest/tiny")}
    return subprocess.run(
        [path, *arguments],
        cwd=ROOT,
        env=environment,
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
def outcomes(program: str, wanted: tuple[str, ...]) -> dict[str, str]:
    """What each test of a program said; an empty text: it passed."""
    results: dict[str, str] = {}
    while missing := [name for name in wanted if name not in results]:
        done = launch(program, *missing)
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
            results[running] = "\n".join(
                [*said, f"{program} ended with status {done.returncode} in this test"]
            )
    return results


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not in_a_world():
        raise pytest.UsageError("tests/c needs a world: sim/aioxen-sim -- /usr/bin/python3 -m pytest tests/c")
    pairs = [(program, name) for program in PROGRAMS for name in launch(program, "--list").stdout.split()]
    metafunc.parametrize(("program", "name"), pairs, ids=[f"{program}:{name}" for program, name in pairs])


def test_c(request: pytest.FixtureRequest, program: str, name: str) -> None:
    selected = (
        getattr(item, "callspec", None) for item in request.session.items if item.path == request.path
    )
    wanted = tuple(call.params["name"] for call in selected if call and call.params["program"] == program)
    said = outcomes(program, wanted)[name]
    assert not said, said
