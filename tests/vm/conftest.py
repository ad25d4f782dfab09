# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fixtures for the launcher, and for one dom0 that all tests of a file share."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from launching import LAUNCHER, LIMIT, PROJECT, Dom0, Run


@pytest.fixture(scope="session", autouse=True)
def image() -> None:
    """Checks that the image exists, and makes the snapshot before the first test."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    for path in (PROJECT / "build/vm/initramfs", PROJECT / "build/guest/tiny"):
        assert path.exists(), f"{path} is missing: run `make vm guest`"
    subprocess.run([LAUNCHER, "true"], check=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def run() -> Run:
    """Returns a function that runs the launcher to its end."""

    def launch(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
        settings = {"text": True, "capture_output": True, "timeout": LIMIT, "cwd": PROJECT} | options
        if "input" not in settings:
            settings["stdin"] = subprocess.DEVNULL
        return subprocess.run([LAUNCHER, *arguments], **settings)  # type: ignore[call-overload,no-any-return]

    return launch


@pytest.fixture(scope="module")
def dom0() -> Iterator[Dom0]:
    process = subprocess.Popen(
        [LAUNCHER, "--timeout", str(LIMIT), "--", "bash"],
        text=True,
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    yield Dom0(process)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    process.wait(LIMIT)
