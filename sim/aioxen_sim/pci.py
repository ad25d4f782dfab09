# SPDX-License-Identifier: LGPL-2.1-or-later
"""The PCI devices of the simulated machine, as directories below /sys/bus/pci.

libaioxen-sim.so intercepts writes into the files, and does what the kernel would do
(sim/hypervisor/host_pci.c).
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/bus/pci")
_PCIBACK = "pciback"
_DRIVER_FILES = ("bind", "unbind")
_PCIBACK_FILES = ("new_slot", "remove_slot", "slots", "permissive", "quirks")
_REGIONS = 13
_IO, _MEM = 0x101, 0x40200


@dataclass(frozen=True)
class Device:
    """A PCI device. `regions` are (start, size, flags) of its resources."""

    bdf: str
    vendor: int
    device: int
    kind: int
    driver: str = ""
    irq: int = 0
    resets: bool = True
    regions: tuple[tuple[int, int, int], ...] = ()


DEVICES = (
    Device("0000:00:00.0", 0x8086, 0x29C0, 0x060000, resets=False),
    Device(
        "0000:01:00.0",
        0x8086,
        0x10D3,
        0x020000,
        "e1000e",
        irq=16,
        regions=((0xFEB80000, 0x20000, _MEM), (0, 0, 0), (0xC040, 0x20, _IO)),
    ),
    Device(
        "0000:01:00.1", 0x8086, 0x10D3, 0x020000, "e1000e", irq=17, regions=((0xFEBA0000, 0x20000, _MEM),)
    ),
    Device("0000:02:00.0", 0x1B36, 0x0010, 0x010802, "nvme", irq=18, regions=((0xFEBC0000, 0x4000, _MEM),)),
    Device(
        "0000:03:00.0",
        0x1B36,
        0x000D,
        0x0C0330,
        "xhci_hcd",
        irq=19,
        resets=False,
        regions=((0xFEBD0000, 0x4000, _MEM),),
    ),
    Device("0000:04:00.0", 0x10EC, 0x8168, 0x020000, irq=20, regions=((0xC060, 0x20, _IO),)),
)


def play() -> None:
    """Makes the directories. /sys/bus must be writable."""
    if ROOT.is_symlink():
        ROOT.unlink()
    for driver in {device.driver for device in DEVICES if device.driver} | {_PCIBACK}:
        folder = ROOT / "drivers" / driver
        folder.mkdir(parents=True)
        for name in (*_DRIVER_FILES, *(_PCIBACK_FILES if driver == _PCIBACK else ())):
            (folder / name).write_text("")
    for device in DEVICES:
        _make(device)


def _make(device: Device) -> None:
    folder = ROOT / "devices" / device.bdf
    folder.mkdir(parents=True)
    files = {
        "vendor": f"0x{device.vendor:04x}",
        "device": f"0x{device.device:04x}",
        "class": f"0x{device.kind:06x}",
        "irq": f"{device.irq}",
        "resource": "\n".join(map(_line, device.regions + ((0, 0, 0),) * (_REGIONS - len(device.regions)))),
    }
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    if device.resets:
        (folder / "reset").write_text("")
    if device.driver:
        (folder / "driver").symlink_to(Path("../../drivers", device.driver))
        (ROOT / "drivers" / device.driver / device.bdf).symlink_to(Path("../../devices", device.bdf))


def _line(region: tuple[int, int, int]) -> str:
    start, size, flags = region
    return f"0x{start:016x} 0x{start + size - 1 if size else 0:016x} 0x{flags:016x}"
