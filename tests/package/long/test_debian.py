# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's packages are complete, can be installed in a fresh Debian 12, and pass their own tests there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import Debian
from package_support import ROOT, exported, output, version

NAMES = ["libaioxen2", "libaioxen-dev", "python3-aioxen", "aioxen-tools", "aioxen-agent"]
TESTS = re.findall(r"^Tests: (.*)$", (ROOT / "debian/tests/control").read_text(), re.M)


@pytest.fixture(scope="session")
def installed(debian: Debian, packages: Path) -> Debian:
    """Installs the packages, and the packages on which their tests depend. Returns the Debian that has
    them."""
    (debian.root / "packages").mkdir()
    for name in NAMES:
        (made,) = packages.glob(f"{name}_*.deb")
        shutil.copy(made, debian.root / "packages")
    control = (ROOT / "debian/tests/control").read_text()
    wanted = {name for line in re.findall(r"^Depends: (.*)$", control, re.M) for name in line.split(", ")}
    others = " ".join(sorted(wanted - set(NAMES)))
    debian.run("apt-get -qq update")
    debian.run(f"apt-get -qq install --no-install-recommends /packages/*.deb {others}")
    return debian


def test_the_version_is_the_project_s() -> None:
    assert (ROOT / "debian/changelog").read_text().startswith(f"aioxen ({version()}-")


def test_the_symbols_are_those_that_the_library_exports(packages: Path) -> None:
    (made,) = packages.glob("libaioxen2_*.deb")
    symbols = output("dpkg-deb", "--info", made, "symbols")
    listed = dict(re.findall(r"^ (\w+)@(AIOXEN_\S+) ", symbols, re.M))
    assert {name: node for name, node in listed.items() if not name.startswith("AIOXEN_")} == exported()


@pytest.mark.parametrize("name", TESTS)
def test_the_packages_pass_their_own_tests(installed: Debian, name: str) -> None:
    installed.run(f"cd /src && AUTOPKGTEST_TMP=$(mktemp -d) debian/tests/{name}")


def test_the_manual_pages_and_the_unit_are_there(installed: Debian) -> None:
    listed = installed.run(f"dpkg -L {' '.join(NAMES)}").splitlines()
    pages = "man1/aioxen.1.gz", "man1/aioxen-sim.1.gz", "man7/aioxen.7.gz"
    units = "aioxen-guest@.service", "aioxen-devd.service", "aioxen-agent.service"
    for file in *pages, *units, "bin/aioxen-agent":
        assert [path for path in listed if path.endswith(f"/{file}")] != [], file


def test_nothing_stays_after_they_are_removed(installed: Debian) -> None:
    installed.run(f"dpkg --purge {' '.join(reversed(NAMES))}")
    found = installed.run("find /usr /etc /var/lib /lib -xdev -iname '*aioxen*' -not -path '/var/lib/dpkg/*'")
    assert found == ""
