# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests whether KVM works on this machine. /dev/kvm often exists although KVM does not work."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

# The last 16 bytes below 4 GiB, where a processor starts. The code is: mov $42, %al; out %al, $0xf4; hlt
RESET_VECTOR = bytes.fromhex("b02ae6f4f4").ljust(16, b"\0")
BIOS_SIZE = 65536
EXPECTED_STATUS = 42 << 1 | 1  # The exit status of QEMU after the write to the device isa-debug-exit.
PROBE_SECONDS = 5
NESTED = [Path(f"/sys/module/kvm_{vendor}/parameters/nested") for vendor in ("intel", "amd")]


def choose(cache: Path) -> str:
    """Returns `kvm` or `tcg` (emulation). Tests once per boot of this machine. The file `cache`
    stores the result."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        boot, accel = cache.read_text().split()
        if boot == _boot() and accel in ("kvm", "tcg"):
            return accel
    accel = "kvm" if kvm_works() else "tcg"
    remember(cache, accel)
    return accel


def remember(cache: Path, accel: str) -> None:
    partial = cache.with_name(f"{cache.name}.{os.getpid()}")
    partial.write_text(f"{_boot()} {accel}\n")
    partial.replace(cache)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def kvm_works() -> bool:
    """Returns whether KVM can run code and supports nested virtual machines, which Xen needs for PVH
    guests."""
    nested = any(path.exists() and path.read_text().strip() in ("Y", "1") for path in NESTED)
    return nested and runs_code("kvm")


def runs_code(accel: str) -> bool:
    """Returns whether QEMU can execute three instructions with this accelerator."""
    with tempfile.NamedTemporaryFile() as bios:
        bios.write(RESET_VECTOR.rjust(BIOS_SIZE, b"\xf4"))
        bios.flush()
        command = ["qemu-system-x86_64", "-accel", accel, "-bios", bios.name]
        command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        command += ["-nodefaults", "-no-user-config", "-display", "none"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PROBE_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == EXPECTED_STATUS
