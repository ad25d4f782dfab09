# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real Xen, HVM guests boot from a disk and from a CD, are shown by VNC, get another CD, and are powered
off by ACPI. They are saved and restored. AIOXEN_GUESTS=all adds most of these tests (`make test-guests`)."""

import os
import sys

import pytest
from launching import PROJECT, Run
from limits import scaled

LONG = pytest.mark.skipif(os.environ.get("AIOXEN_GUESTS") != "all", reason="takes minutes: make test-guests")


@pytest.fixture
def inside(run: Run):  # type: ignore[no-untyped-def]
    """Returns a function that runs a program in a dom0 of its own."""

    def start(program: str, *arguments: str, more: tuple[str, ...] = (), limit: float = 100) -> None:
        options = (
            *more,
            "--env",
            f"PYTHONPATH={PROJECT}/build/python",
            "--timeout",
            str(scaled(limit)),
            "--",
        )
        command = ("/usr/bin/python3", f"tests/vm/inside/{program}", *arguments)
        done = run(*options, *command, timeout=scaled(limit + 20))
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        assert done.returncode == 0

    return start


# OVMF does not boot in an emulated machine (docs/limits.md).
@pytest.mark.parametrize(
    "words",
    [
        ("ours", "ours", "seabios", "cd"),
        pytest.param(("ours", "xl", "seabios", "cd"), marks=LONG),
        pytest.param(("ours", "xl", "seabios", "disk"), marks=LONG),
        pytest.param(("xl", "ours", "seabios", "disk"), marks=LONG),
        pytest.param(("ours", "ours", "seabios", "disk", "restricted"), marks=LONG),
    ],
)
def test_a_guest_boots_and_is_powered_off(inside, words: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    inside("hvm.py", *words)


@LONG
@pytest.mark.parametrize("maker", ["ours", "xl"])
def test_a_guest_is_saved_and_restored_by_both_toolstacks(inside, maker: str) -> None:  # type: ignore[no-untyped-def]
    # dom0 keeps the saved guest's file in its memory. The file is as large as the guest.
    more = ("--memory", "1536", "--dom0-memory", "1024")
    moves = ("ours-xl", "xl-ours", "ours-ours-live", "xl-xl")
    inside("saved_hvm.py", maker, *moves, more=more, limit=400)
