# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small Linux guest: busybox, and the programs that the kernel runs at a shutdown request."""

from pathlib import Path

from . import dom0
from .archive import Archive

# The kernel watches control/shutdown and runs these helpers, because init is a script.
HELPERS = {"/sbin/poweroff": "poweroff -f", "/sbin/reboot": "reboot -f"}


def root(unpacked: Path, init: Path) -> Archive:
    archive = Archive()
    dom0.busybox(archive, unpacked)
    for path in ("/proc", "/sys", "/dev"):
        archive.directory(path)
    archive.node("/dev/console", 5, 1)
    archive.file("/init", init, 0o755)
    for path, command in HELPERS.items():
        archive.text(path, f"#!/bin/busybox sh\nexec /bin/busybox {command}\n", 0o755)
    return archive
