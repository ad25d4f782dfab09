# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library and its tests work on Debian 13, with the libraries and programs of Xen 4.20."""

from __future__ import annotations

from pathlib import Path

from conftest import fresh

TESTS = "sim/aioxen-sim -- python3 -m pytest -q -p no:cacheprovider"


def test_the_simulated_tests_pass_with_xen_4_20(tmp_path: Path) -> None:
    """Tests that compare with Debian 12's xl, option by option or word by word, are left out."""
    debian = fresh(tmp_path / "debian", "trixie")
    debian.run("apt-get -qq update; apt-get -qq install make; cd /src; tools/install-packages build test")
    debian.run(
        "cd /src; make -s -j2 all sim guest tests; sim/aioxen-sim -- xl info | grep -q 'xen_minor.*: 20'"
    )
    python = "export PYTHONPATH=build/python PYTHONDONTWRITEBYTECODE=1"
    debian.run(f"cd /src; {python}; {TESTS} tests/c tests/python -k 'not xl and not cli'")
