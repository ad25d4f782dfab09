# SPDX-License-Identifier: LGPL-2.1-or-later
"""Spin on the model of an operation: it holds in every interleaving, and each known fault is found."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from limits import scaled

MODEL = Path(__file__).parent / "scenarios.pml"
LIMIT_S = scaled(90)
# -O0: the checkers are compiled more often than they run long.
COMPILE = ["cc", "-O0", "-w", "-DNOREDUCE", "-DMEMLIM=2500", "-o", "pan", "pan.c"]

SCENARIOS = {
    "life": ["LIFE"],
    "life_with_a_broken_loop": ["LIFE", "BROKEN"],
    "waiting": ["WAITING"],
    "busy": ["BUSY"],
    "close": ["CLOSE"],
    "nested": ["NESTED"],
    "alone": ["ALONE"],
}

# The fault, the scenario that shows it, and what is seen of it: README.md says what each is.
DEADLOCK = "invalid end state"
FOR_EVER = "acceptance cycle"
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
    "WAKEUP_KEPT": ("busy", FOR_EVER),
    "CHILD_COMPLETES_PARENT": ("nested", r"assertion violated.*ending"),
    "CHILD_NOT_COUNTED": ("nested", r"assertion violated"),
    "HANDED_OVER_TELLS_PARENT": ("nested", r"assertion violated.*complete"),
    "HANDED_OVER_STILL_COUNTED": ("nested", DEADLOCK),
    "HANDLE_KEPT": ("alone", r"assertion violated.*alive"),
    "FORGOTTEN_BEFORE_ITS_END": ("alone", r"assertion violated.*forgotten"),
    "CLOSED_OVER_BACKGROUND": ("alone", r"assertion violated.*told"),
}


class Asked(NamedTuple):
    scenario: str
    fault: str = ""
    liveness: bool = False


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def check(folder: Path, asked: Asked) -> str:
    """What the checker says of a scenario: `pan:1: ...` or "errors: 0"."""
    defines = [*SCENARIOS[asked.scenario], *([f"FAULT_{asked.fault}"] if asked.fault else [])]
    # Without -o1 spin takes minutes over its data flow analysis.
    run(folder, "spin", "-a", "-o1", *(f"-D{name}" for name in defines), str(MODEL))
    run(folder, *COMPILE, *([] if asked.liveness else ["-DSAFETY", "-DNOCLAIM"]))
    said = run(folder, "./pan", "-m100000", "-w22", *(["-a"] if asked.liveness else []))
    assert "max search depth too small" not in said, said
    found = re.search(r"^pan:1: .*|errors: 0$", said, re.MULTILINE)
    assert found, said
    return found[0]


@pytest.fixture(scope="session")
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Asked, Future[str]]]:
    """To all that the chosen tests ask; they are worked out two at a time."""
    if shutil.which("spin") is None:
        pytest.skip("no spin on this machine: tools/install-packages test")
    calls = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    asked = [call.params["asked"] for call in calls if "asked" in call.params]
    pool = ThreadPoolExecutor(2)
    yield {one: pool.submit(check, tmp_path_factory.mktemp("pan"), one) for one in asked}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("asked", map(Asked, SCENARIOS), ids=SCENARIOS)
def test_one_notification_no_use_after_destroy_no_deadlock(
    answers: dict[Asked, Future[str]], asked: Asked
) -> None:
    assert answers[asked].result() == "errors: 0"


@pytest.mark.parametrize("asked", [Asked(name, liveness=True) for name in SCENARIOS], ids=SCENARIOS)
def test_whoever_waits_returns(answers: dict[Asked, Future[str]], asked: Asked) -> None:
    assert answers[asked].result() == "errors: 0"


@pytest.mark.parametrize(
    "asked",
    [Asked(scenario, fault, seen == FOR_EVER) for fault, (scenario, seen) in FAULTS.items()],
    ids=FAULTS,
)
def test_a_fault_that_is_put_back_is_found(answers: dict[Asked, Future[str]], asked: Asked) -> None:
    assert re.search(FAULTS[asked.fault][1], answers[asked].result())


def test_every_fault_of_the_model_is_listed_and_explained() -> None:
    text = "".join(path.read_text() for path in MODEL.parent.glob("*.pml"))
    in_model = {name for name in re.findall(r"FAULT_(\w+)", text) if name != "X"}
    assert in_model == set(FAULTS)
    readme = (MODEL.parent / "README.md").read_text()
    assert {name for name in FAULTS if f"`{name}`" not in readme} == set()
