# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Linux guest that serves networks to other guests. It has the files of the small Linux guest, Xen's
backend, and Debian's `xl devd`."""

from pathlib import Path

from . import dom0, linux_guest
from .archive import Archive

MODULES = ("xen-evtchn", "xen-privcmd", "xenfs", "bridge", "xen-netback")


def root(unpacked: Path, scripts: Path) -> Archive:
    """Returns the driver domain's root. `unpacked` has the unpacked packages, `scripts` has the programs."""
    archive = linux_guest.root(unpacked, scripts, MODULES, dom0.TOOLS)
    dom0.directories(archive)
    dom0.toolstack(archive, unpacked)
    archive.file("/bin/serve-networks", scripts / "serve-networks", 0o755)
    archive.file("/etc/xen/scripts/vif-quick", scripts / "vif-quick", 0o755)
    return archive
