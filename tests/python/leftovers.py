# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of all things that operations make on a host: nodes, files, loop devices, interfaces and
processes.

A test takes the list before and after its operations. It runs in the simulator, where no other program
changes these things.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from pathlib import Path

from limits import scaled

FOLDERS = "/var/lib/xen", "/run/xen"
"""The folders with the stored configurations and QEMU's sockets."""

KEPT = re.compile(
    r"/vm|/libxl(/pci|/usbback)?|/local/domain/0/device-model|/tool/aioxen(/unfinished(/[0-9a-f]{2})?)?"
)
"""The paths of empty nodes that the first domain, PCI device or USB device of a host makes, and that stay."""

Snapshot = dict[str, set[str]]


def _lines(*command: str) -> set[str]:
    done = subprocess.run(command, check=True, capture_output=True, timeout=scaled(60))
    return set(done.stdout.decode(errors="replace").splitlines())


def _nodes() -> set[str]:
    paths = {line.split(" = ")[0] for line in _lines("xenstore-ls", "-f") if line.startswith("/")}
    return {path for path in paths if not KEPT.fullmatch(path)}


def _processes() -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            found.add(f"{process.name} {words}")
    return found


def snapshot() -> Snapshot:
    """Returns all things that exist now, by kind."""
    return {
        "nodes": _nodes(),
        "files": {str(path) for folder in FOLDERS for path in Path(folder).rglob("*")},
        "loop devices": _lines("aioxen-sim-ctl", "loops"),
        "interfaces": {line.split()[0] for line in _lines("aioxen-sim-ctl", "links")},
        "processes": _processes(),
    }


def check_nothing_left(before: Snapshot, what: str = "") -> None:
    """Asserts that the same things exist as in `before`. Waits a moment, because a killed process may need
    time to end."""
    end = time.monotonic() + scaled(5)
    while True:
        after = snapshot()
        changed = {kind: after[kind] ^ before[kind] for kind in before if after[kind] != before[kind]}
        if not set(changed) <= {"processes"} or not changed or time.monotonic() > end:
            break
        time.sleep(0.01)
    assert not changed, f"{what}: {changed}"
