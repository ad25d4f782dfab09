# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small Linux guest: busybox, Xen's frontends, and the programs that the kernel runs at a shutdown
request."""

from collections.abc import Iterable
from pathlib import Path

from . import dom0
from .archive import Archive

MODULES = ("xen-blkfront", "xen-netfront", "ext4", "crc32c_generic", "9p", "9pnet_xen")
# The drivers of the devices of `aioxen-vm --passthrough`.
PASSTHROUGH_MODULES = ("xen-pcifront", "e1000e", "ehci-pci", "xhci-pci", "usb-storage", "sd_mod")
PROGRAMS = ("check-disk", "check-share")

# At a shutdown request the kernel runs these helpers. The helpers use -f, because init is a script that
# handles no signals.
HELPERS = {"/sbin/poweroff": "poweroff -f", "/sbin/reboot": "reboot -f"}


def root(unpacked: Path, scripts: Path, more: Iterable[str] = (), without: Iterable[str] = ()) -> Archive:
    """Returns the guest's root. `unpacked` has the unpacked packages, `scripts` has init and the programs.

    `more` names further kernel modules. `without` names the programs for which busybox gets no link.
    """
    archive = Archive()
    dom0.busybox(archive, unpacked, without)
    for path in ("/proc", "/sys", "/dev", "/mnt", "/tmp"):
        archive.directory(path)
    archive.node("/dev/console", 5, 1)
    dom0.modules(archive, unpacked, (*MODULES, *more))
    archive.file("/init", scripts / "linux-init", 0o755)
    for name in PROGRAMS:
        archive.file(f"/bin/{name}", scripts / name, 0o755)
    for path, command in HELPERS.items():
        archive.text(path, f"#!/bin/busybox sh\nexec /bin/busybox {command}\n", 0o755)
    return archive
