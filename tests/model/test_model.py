# SPDX-License-Identifier: LGPL-2.1-or-later
"""Spin on the model of an operation: it holds in every interleaving, and each known fault is found."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).parent / "scenarios.pml"
LIMIT_S = 90
# -O0: the generated checker is compiled more often than it runs long.
COMPILE = ["cc", "-O0", "-w", "-DNOREDUCE", "-DMEMLIM=2500", "-o", "pan", "pan.c"]

SCENARIOS = {
    "life": ["LIFE"],
    "life_with_a_broken_loop": ["LIFE", "BROKEN"],
    "waiting": ["WAITING"],
    "busy": ["BUSY"],
    "close": ["CLOSE"],
}

# The fault, the scenario that shows it, and what is seen of it: README.md says what each is.
DEADLOCK = "invalid end state"
FAULTS = {
    "CREATED_UNLOCKED": ("waiting", r"assertion violated.*holder"),
    "UNLOCKED_THROUGH_RECORD": ("life", r"assertion violated.*alive"),
    "LINE_NOT_INITIALISED": ("life", r"assertion violated 0"),
    "RETURN_HIDDEN": ("life", r"assertion violated.*alive"),
    "NOTIFIED_UNLOCKED": ("life", r"assertion violated.*alive"),
    "NOT_DELIVERED_IN_INITIATOR": ("life", DEADLOCK),
    "HOLDERS_NOT_COUNTED": ("life", r"assertion violated.*alive"),
    "EVENT_ALLOCATED_LATE": ("life", DEADLOCK),
    "SLEEPS_LOCKED": ("life_with_a_broken_loop", DEADLOCK),
    "STALE_SET": ("life", DEADLOCK),
    "EVENT_WAKES_NOBODY": ("life", DEADLOCK),
    "JOB_WAKES_NOBODY": ("life", DEADLOCK),
    "LEAD_NOT_HANDED_OVER": ("busy", DEADLOCK),
    "BUSY_WAITER_CHOSEN": ("busy", DEADLOCK),
    "WAKEUP_TAKEN": ("busy", DEADLOCK),
    "REPORT_OVERTAKEN": ("life", r"assertion violated.*due"),
    "COMPLETED_BEFORE_JOBS": ("life", r"assertion violated.*alive"),
    "FAILED_START_STAYS_RUNNABLE": ("life", r"assertion violated.*failed"),
}


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def check(folder: Path, scenario: str, *faults: str, liveness: bool = False) -> str:
    """What the checker says of a scenario: `pan:1: ...` or "errors: 0"."""
    if shutil.which("spin") is None:
        pytest.skip("no spin on this machine: tools/install-packages test")
    defines = [*SCENARIOS[scenario], *(f"FAULT_{fault}" for fault in faults)]
    # Without -o1 spin takes minutes over its data flow analysis.
    run(folder, "spin", "-a", "-o1", *(f"-D{name}" for name in defines), str(MODEL))
    run(folder, *COMPILE, *(["-DNFAIR=3"] if liveness else ["-DSAFETY", "-DNOCLAIM"]))
    said = run(folder, "./pan", "-m100000", "-w22", *(["-a", "-f", "-N", "returns"] if liveness else []))
    assert "max search depth too small" not in said, said
    found = re.search(r"^pan:1: .*|errors: 0$", said, re.MULTILINE)
    assert found, said
    return found[0]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_notification_no_use_after_destroy_no_deadlock(tmp_path: Path, scenario: str) -> None:
    assert check(tmp_path, scenario) == "errors: 0"


@pytest.mark.parametrize("scenario", ["life", "close"])
def test_whoever_waits_returns(tmp_path: Path, scenario: str) -> None:
    assert check(tmp_path, scenario, liveness=True) == "errors: 0"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_is_put_back_is_found(tmp_path: Path, fault: str) -> None:
    scenario, seen = FAULTS[fault]
    assert re.search(seen, check(tmp_path, scenario, fault))


def test_every_fault_of_the_model_is_listed_and_explained() -> None:
    text = "".join(path.read_text() for path in MODEL.parent.glob("*.pml"))
    in_model = {name for name in re.findall(r"FAULT_(\w+)", text) if name != "X"}
    assert in_model == set(FAULTS)
    readme = (MODEL.parent / "README.md").read_text()
    assert {name for name in FAULTS if f"`{name}`" not in readme} == set()
