# SPDX-License-Identifier: LGPL-2.1-or-later
"""Large programs for dom0 with their libraries: the device model of Xen, qemu-img and ssh.

These files are in a separate directory that dom0 mounts. In the initramfs, the files would take 40 MB of
dom0's memory.
"""

import shutil
from pathlib import Path

from . import dom0

# The paths of the programs in the packages.
PROGRAMS = (
    "usr/libexec/xen-qemu-system-i386",
    "usr/bin/qemu-img",
    "usr/bin/ssh",
    "usr/bin/ssh-keygen",
    "usr/sbin/dropbear",
)
SHARE = "share/qemu"
KEYMAP = f"{SHARE}/keymaps/en-us"  # The device model needs this file. It comes from this machine's QEMU.

FIRMWARE = (
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/seabios/vgabios-cirrus.bin",
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/usr/share/qemu/kvmvapic.bin",
    "/usr/share/qemu/linuxboot.bin",
    "/usr/lib/ipxe/qemu/efi-e1000.rom",
    "/usr/lib/ipxe/qemu/efi-rtl8139.rom",
)
"""The firmware of HVM guests on this machine. The Debian package of QEMU depends on the packages of the
firmware."""
HVMLOADER, OVMF = "usr/lib/xen-4.17/boot/hvmloader", "usr/share/ovmf/OVMF.fd"
LINKS = {
    f"/{HVMLOADER}": "hvmloader",
    "/usr/share/seabios/bios-256k.bin": "bios-256k.bin",
    f"/{OVMF}": "OVMF.fd",
}
"""The files that the toolstack reads, by their paths in dom0. The paths are links to files in SHARE."""


def fill(unpacked: Path, out: Path) -> None:
    """Fills the directory `out` with bin, lib and share. QEMU finds share by its place beside bin.

    Raises ValueError if this machine lacks a library.
    """
    programs = [unpacked / name for name in PROGRAMS]
    needed = dom0.libraries(programs, unpacked)
    partial = out.with_name(out.name + ".new")
    shutil.rmtree(partial, ignore_errors=True)
    for directory in ("bin", "lib", str(Path(KEYMAP).parent)):
        (partial / directory).mkdir(parents=True)
    for program in programs:
        shutil.copy(program, partial / "bin")
    for name, path in needed.items():
        shutil.copy(path.resolve(), partial / "lib" / name)
    shutil.copy(Path("/usr") / KEYMAP, partial / KEYMAP)
    for name in (HVMLOADER, OVMF):
        shutil.copy(unpacked / name, partial / SHARE)
    for firmware in FIRMWARE:
        shutil.copy(firmware, partial / SHARE)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
