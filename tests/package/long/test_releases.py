# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library and its tests work on Debian 13, with the libraries and programs of Xen 4.20."""

from __future__ import annotations

from pathlib import Path

from conftest import fresh

# The test files that also pass with Xen 4.20. The others compare output and options with those of xl 4.17, or
# need hvmloader where Xen 4.17 has it, or make a simulated machine inside another one, which below this
# test's root directory does not find /usr.
FILES = """
console context convert coroutines device_events device_lists device_model disk_full domains events
handles hooks hostile hostile_random interrupts lifecycle live log memory methods nics operations progress
restore running running_xl save shutdown statistics threads trace turns unfinished xenstored
"""
TESTS = " ".join(f"tests/python/test_{name}.py" for name in FILES.split())


def test_the_simulated_tests_pass_with_xen_4_20(tmp_path: Path) -> None:
    """The library, the simulator and the tests are built in a Debian 13."""
    debian = fresh(tmp_path / "debian", "trixie")
    debian.run("apt-get -qq update; apt-get -qq install make; cd /src; tools/install-packages build test")
    debian.run(
        "cd /src; make -s -j2 all sim guest tests; sim/aioxen-sim -- xl info | grep -q 'xen_minor.*: 20'"
    )
    debian.run(
        "cd /src; export PYTHONPATH=build/python PYTHONDONTWRITEBYTECODE=1; "
        f"sim/aioxen-sim -- python3 -m pytest -q -p no:cacheprovider {TESTS}"
    )
