# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the examples on this Xen machine, simulated or real. Checks the output of each example."""

import os
import subprocess
from pathlib import Path

import pytest
from limits import scaled

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))
STORIES = {
    "poweroff": ["created", "unpaused", "has stopped", "the reason is poweroff", "destroyed"],
    "reboot": ["created", "unpaused", "has stopped", "the reason is reboot", "destroyed"],
    "crash": ["created", "unpaused", "has stopped", "the reason is crash", "destroyed"],
    "later": ["created", "unpaused", "has stopped", "the reason is poweroff", "destroyed"],
    "asked": ["shut down on request", "the reason is poweroff", "destroyed"],
    "restarted": ["rebooted on request", "the reason is reboot", "destroyed"],
    "ignoring": ["created", "unpaused", "asked to stop, with a time limit (as expected)", "destroyed"],
    "aborted": ["creation aborted (as expected)"],
}


@pytest.mark.parametrize("style", ["callbacks", "events", "sync"])
def test_lifecycle(style: str) -> None:
    done = subprocess.run(
        [BUILD / "examples/lifecycle", style, ROOT / "build/guest/tiny"],
        capture_output=True,
        text=True,
        timeout=scaled(60),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reported: dict[str, list[str]] = {name: [] for name in STORIES}
    for line in done.stdout.splitlines()[:-1]:
        _, name, what = line.split(maxsplit=2)
        reported[name].append(what)
    for name, story in STORIES.items():
        assert [what for what in reported[name] if what in story] == story, done.stdout
        events = [what.removeprefix("event: ") for what in reported[name] if what.startswith("event: ")]
        if name in ("ignoring", "aborted"):
            assert events == (["DYING", "GONE"] if name == "ignoring" else []), done.stdout
        else:
            assert [event.partition(",")[0] for event in events] == ["SHUTDOWN", "DYING", "GONE"], done.stdout
    assert "2 aborted, 0 live; domains left: 0" in done.stdout


@pytest.mark.parametrize("style", ["callbacks", "events", "sync"])
def test_lifecycle_reports_a_missing_kernel(style: str) -> None:
    command = [BUILD / "examples/lifecycle", style, "/nowhere/kernel"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(60))
    assert done.returncode == 1
    refusals = [
        line
        for line in done.stdout.splitlines()
        if "unexpected: d_config.b_info.kernel: /nowhere/kernel: " in line
    ]
    assert {line.split()[1] for line in refusals} | {"aborted"} == set(STORIES)
    assert "created" not in done.stdout


def test_lifecycle_prints_its_usage() -> None:
    done = subprocess.run([BUILD / "examples/lifecycle", "never"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "callbacks|events|sync" in done.stderr
