# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the programs of a world (world.py): the simulator's own, and those of a dom0.

In the source tree, `make sim` puts all of them below build/. The installed package contains the simulator's
own programs. A dom0's programs are Debian's: they are installed, or unpacked in the user's cache directory.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_INSTALLED = _HERE / "programs"
_DEFAULT = "4.17"
"""The release of Xen whose programs are in build/dom0. The programs of another release are in
build/dom0-RELEASE."""


class WorldError(Exception):
    """Raised if a world cannot be made. The user sees the message."""


@dataclass(frozen=True)
class Tools:
    """The files that a world is made of."""

    sim: Path
    """The directory of the simulator's library and programs."""
    scripts: Path
    """The directory of the simulated hotplug scripts."""
    dom0: Path
    """The root directory of a dom0's programs."""
    kernel: Path
    """A guest kernel that Xen can load, for users' tests."""
    remedy: str
    """A part of error messages: what a user must do to get the programs of a dom0."""

    @property
    def library(self) -> Path:
        return self.sim / "libaioxen-sim.so"

    @property
    def guests(self) -> Path:
        return self.sim / "aioxen-sim-guests"

    @property
    def devices(self) -> Path:
        return self.sim / "aioxen-sim-devices"

    @property
    def ctl(self) -> Path:
        return self.sim / "aioxen-sim-ctl"

    @property
    def path(self) -> list[Path]:
        """Returns the directories that the world puts at the beginning of PATH."""
        xen = sorted((self.dom0 / "usr/lib").glob("xen-*/bin"))
        return [self.sim, *xen, self.dom0 / "usr/sbin", self.dom0 / "usr/bin"]

    def check(self) -> None:
        """Raises WorldError if a program has not been built or unpacked."""
        for file in self.library, self.guests, self.devices, self.ctl:
            if not file.exists():
                raise WorldError(f"{file} is missing: make sim")
        if not any((folder / "xenstored").exists() for folder in self.path):
            raise WorldError(f"the programs of a Xen dom0 are not in {self.dom0}: {self.remedy}")

    def check_fault(self, source: str, spec: str) -> None:
        """Raises WorldError if `spec` is not a valid fault. `source` names its origin in the message."""
        result = subprocess.run(
            [self.ctl, "fault", "check", spec], check=False, stderr=subprocess.PIPE, text=True
        )
        if result.returncode:
            raise WorldError(f"{source}: {result.stderr.strip().partition(': ')[2]}")


def find() -> Tools:
    """Returns the programs of this installation, or of this source tree. The directory AIOXEN_BUILD
    replaces the tree's build."""
    if _INSTALLED.is_dir():
        xen = _xen_of(_INSTALLED)
        cache = _cache(xen)
        machine = Path("/")
        return Tools(
            sim=_INSTALLED,
            scripts=_HERE / "scripts",
            dom0=machine
            if not cache.is_dir() and list(machine.glob(f"usr/lib/xen-{xen}/bin/xenstored"))
            else cache,
            kernel=_INSTALLED / "tiny",
            remedy="run `aioxen-sim --download` once",
        )
    root = _HERE.parent.parent
    build = Path(os.environ.get("AIOXEN_BUILD", root / "build"))
    xen = _xen_of(build / "sim")
    return Tools(
        sim=build / "sim",
        scripts=root / "sim/scripts",
        dom0=build / ("dom0" if xen == _DEFAULT else f"dom0-{xen}"),
        kernel=build / "guest/tiny",
        remedy="make sim",
    )


def download() -> int:
    """Downloads Debian's packages with the programs of a dom0 and unpacks them. Returns an exit status.

    Nothing is installed, and no privilege is needed.
    """
    unpack = _HERE / "tools/unpack-packages"
    if not unpack.exists():
        unpack = _HERE.parent.parent / "tools/unpack-packages"
    xen = _xen_of(_INSTALLED)
    cache = _cache(xen)
    cache.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.run([unpack, "--simulator", "--xen", xen, cache], check=False).returncode


def _xen_of(sim: Path) -> str:
    """Returns the release of Xen with whose headers the simulated hypervisor was built."""
    file = sim / "xen-release"
    return file.read_text().strip() if file.exists() else _DEFAULT


def _cache(xen: str) -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / f"aioxen/dom0-{xen}"
