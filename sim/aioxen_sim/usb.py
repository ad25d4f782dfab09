# SPDX-License-Identifier: LGPL-2.1-or-later
"""The USB devices of the simulated machine, as directories below /sys/bus/usb.

libaioxen-sim.so intercepts writes into the files, and does what the kernel would do
(sim/hypervisor/host_usb.c).
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/bus/usb")
_DRIVERS = ("usb-storage", "usbhid", "hub", "usbback")


@dataclass(frozen=True)
class Device:
    """A USB device. `drivers` has the driver of each interface; "": the interface has no driver."""

    name: str
    bus: int
    address: int
    kind: int
    drivers: tuple[str, ...]


DEVICES = (
    Device("usb1", 1, 1, 0x09, ("hub",)),
    Device("1-1", 1, 2, 0x00, ("usb-storage", "")),
    Device("1-2", 1, 3, 0x09, ("hub",)),
    Device("1-2.4", 1, 4, 0x00, ("usbhid", "usbhid")),
    Device("2-1", 2, 2, 0xFF, ("",)),
)


def play() -> None:
    """Makes the directories. /sys/bus must be writable."""
    if ROOT.is_symlink():
        ROOT.unlink()
    for driver in _DRIVERS:
        folder = ROOT / "drivers" / driver
        folder.mkdir(parents=True)
        for name in ("bind", "unbind"):
            (folder / name).write_text("")
    for device in DEVICES:
        _make(device)


def _make(device: Device) -> None:
    folder = ROOT / "devices" / device.name
    folder.mkdir(parents=True)
    files = {
        "busnum": f"{device.bus}",
        "devnum": f"{device.address}",
        "bDeviceClass": f"{device.kind:02x}",
    }
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    for number, driver in enumerate(device.drivers):
        interface = f"{device.name.replace('usb', '')}{'-0' * device.name.startswith('usb')}:1.{number}"
        (ROOT / "devices" / interface).mkdir()
        if driver:
            (ROOT / "devices" / interface / "driver").symlink_to(Path("../../drivers", driver))
            (ROOT / "drivers" / driver / interface).symlink_to(Path("../../devices", interface))
