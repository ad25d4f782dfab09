# SPDX-License-Identifier: LGPL-2.1-or-later
"""Spin checks the model of an operation in every interleaving, and finds every known fault."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from limits import scaled

MODEL = Path(__file__).parent
LIMIT_S = scaled(90)
# The command that compiles a checker. It has -O0, because compiling a checker takes longer than running it.
COMPILE = ["cc", "-O0", "-w", "-DNOREDUCE", "-DMEMLIM=2500", "-o", "pan", "pan.c"]

SCENARIOS = {
    "life": ["LIFE"],
    "life_with_a_broken_loop": ["LIFE", "BROKEN"],
    "waiting": ["WAITING"],
    "busy": ["BUSY"],
    "close": ["CLOSE"],
    "nested": ["NESTED"],
    "alone": ["ALONE"],
    "phases": [],
}
# The files of the scenarios that are not in scenarios.pml.
FILES = {"phases": "phases.pml"}
# The scenarios that Spin checks with weak fairness: a process that can run all the time does run at some
# time.
FAIR = {"phases"}


def violated(what: str) -> str:
    """Returns the text that Spin prints when an assertion about `what` fails."""
    return f"assertion violated.*{what}"


# The faults. Each row has the name of a fault, the scenario in which Spin finds the fault, and the error that
# Spin reports then. README.md explains the faults.
DEADLOCK = "invalid end state"
LIVELOCK = "acceptance cycle"
FAULTS = {
    "CREATED_UNLOCKED": ("waiting", violated("holder")),
    "UNLOCKED_THROUGH_RECORD": ("life", violated("alive")),
    "QUEUE_NOT_INITIALISED": ("life", r"assertion violated 0"),
    "RETURN_SKIPS_UNLOCK": ("life", violated("alive")),
    "NOTIFIED_UNLOCKED": ("life", violated("alive")),
    "NOT_DELIVERED_IN_INITIATOR": ("life", DEADLOCK),
    "HOLDERS_NOT_COUNTED": ("life", violated("alive")),
    "EVENT_ALLOCATED_LATE": ("life", DEADLOCK),
    "SLEEPS_LOCKED": ("life_with_a_broken_loop", DEADLOCK),
    "STALE_POLL_SET": ("life", DEADLOCK),
    "EVENT_WAKES_NO_WAITER": ("life", DEADLOCK),
    "JOB_WAKES_NO_THREAD": ("life", DEADLOCK),
    "LEAD_NOT_HANDED_OVER": ("busy", DEADLOCK),
    "BUSY_WAITER_CHOSEN": ("busy", DEADLOCK),
    "WAKEUP_CONSUMED": ("busy", DEADLOCK),
    "REPORT_OVERTAKEN": ("life", violated("undelivered")),
    "COMPLETED_BEFORE_JOBS": ("life", violated("alive")),
    "FAILED_START_STAYS_RUNNABLE": ("life", violated("failed")),
    "WAKEUP_KEPT": ("busy", LIVELOCK),
    "CHILD_COMPLETES_PARENT": ("nested", violated("ending")),
    "CHILD_NOT_COUNTED": ("nested", r"assertion violated"),
    "DETACHED_NOTIFIES_PARENT": ("nested", violated("complete")),
    "DETACHED_STILL_COUNTED": ("nested", DEADLOCK),
    "HANDLE_KEPT": ("alone", violated("alive")),
    "HANDLE_FREED_EARLY": ("alone", violated("handle_freed")),
    "CLOSED_BEFORE_BACKGROUND": ("alone", violated("notifications")),
    "FAILING_PHASE_NOT_UNDONE": ("phases", violated("undone")),
    "UNDONE_IN_ORDER": ("phases", violated("undone")),
    "UNSTARTED_UNDONE": ("phases", violated("started")),
    "COMMITTED_UNDONE": ("phases", violated("point_of_no_return")),
    "STARTED_AFTER_STOP": ("phases", violated("point_of_no_return")),
    "STOP_BEFORE_START_FORGOTTEN": ("phases", violated("stopped")),
    "STOP_REPEATED": ("phases", violated("stopped")),
    "UNDO_ERROR_REPORTED": ("phases", violated("result")),
    "CARRIED_OUT_IGNORED": ("phases", violated("carried_out")),
    "LIMIT_FORGOTTEN": ("phases", violated("polled_to_end")),
    "RUN_AFTER_ITS_END": ("phases", violated("completed")),
    "STOP_UNLIMITED": ("phases", LIVELOCK),
    "UNDO_UNLIMITED": ("phases", LIVELOCK),
}


class Question(NamedTuple):
    scenario: str
    fault: str = ""
    liveness: bool = False


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def check(folder: Path, question: Question) -> str:
    """Returns the checker's result for a scenario: `pan:1: ...` or "errors: 0"."""
    defines = [*SCENARIOS[question.scenario], *([f"FAULT_{question.fault}"] if question.fault else [])]
    # Without -o1, spin's data flow analysis takes minutes.
    run(
        folder,
        "spin",
        "-a",
        "-o1",
        *(f"-D{name}" for name in defines),
        str(MODEL / FILES.get(question.scenario, "scenarios.pml")),
    )
    run(folder, *COMPILE, *(["-DNFAIR=3"] if question.liveness else ["-DSAFETY", "-DNOCLAIM"]))
    how = ["-a", *(["-f"] if question.scenario in FAIR else [])] if question.liveness else []
    output = run(folder, "./pan", "-m100000", "-w22", *how)
    assert "max search depth too small" not in output, output
    found = re.search(r"^pan:1: .*|errors: 0$", output, re.MULTILINE)
    assert found, output
    return found[0]


@pytest.fixture(scope="session")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Question, Future[str]]]:
    """Yields the results that the selected tests need. Two checkers run at a time."""
    if shutil.which("spin") is None:
        pytest.skip("no spin on this machine: tools/install-packages test")
    calls = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    question = [call.params["question"] for call in calls if "question" in call.params]
    pool = ThreadPoolExecutor(2)
    yield {one: pool.submit(check, tmp_path_factory.mktemp("pan"), one) for one in question}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("question", map(Question, SCENARIOS), ids=SCENARIOS)
def test_one_notification_no_use_after_destroy_no_deadlock(
    results: dict[Question, Future[str]], question: Question
) -> None:
    assert results[question].result() == "errors: 0"


@pytest.mark.parametrize("question", [Question(name, liveness=True) for name in SCENARIOS], ids=SCENARIOS)
def test_all_threads_return(results: dict[Question, Future[str]], question: Question) -> None:
    assert results[question].result() == "errors: 0"


@pytest.mark.parametrize(
    "question",
    [Question(scenario, fault, seen == LIVELOCK) for fault, (scenario, seen) in FAULTS.items()],
    ids=FAULTS,
)
def test_each_fault_is_found(results: dict[Question, Future[str]], question: Question) -> None:
    assert re.search(FAULTS[question.fault][1], results[question].result())


def test_the_faults_are_listed_and_explained() -> None:
    text = "".join(path.read_text() for path in MODEL.glob("*.pml"))
    in_model = {name for name in re.findall(r"FAULT_(\w+)", text) if name != "X"}
    assert in_model == set(FAULTS)
    readme = (MODEL / "README.md").read_text()
    assert {name for name in FAULTS if f"`{name}`" not in readme} == set()
