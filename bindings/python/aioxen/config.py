# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions that make configurations: pv() and pvh() return the configuration of a guest, and disk() and
nic() return a part of one. shutdown_action() returns the action that a configuration has for a guest that has
stopped."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aioxen.types import (
    ActionOnShutdown,
    DeviceDisk,
    DeviceNic,
    DiskFormat,
    DomainBuildInfo,
    DomainConfig,
    DomainCreateInfo,
    DomainType,
    ShutdownReason,
)

if TYPE_CHECKING:
    from uuid import UUID

_KIB = {"K": 1, "M": 1 << 10, "G": 1 << 20, "T": 1 << 30}


def pv(
    name: str,
    kernel: str | os.PathLike[str],
    *,
    memory: int | str = "64M",
    vcpus: int = 1,
    cmdline: str = "",
    ramdisk: str | os.PathLike[str] | None = None,
    uuid: UUID | str | None = None,
    disks: Iterable[DeviceDisk] = (),
    nics: Iterable[DeviceNic] = (),
) -> DomainConfig:
    """Returns the configuration of a PV guest that boots `kernel` directly.

    memory: The guest's memory. It is a number of MiB, or a string with a unit such as "64M" or "2G".

    uuid: The UUID of the domain. None: the domain gets a random UUID.

    disks, nics: The results of disk() and nic(), or any DeviceDisk and DeviceNic.

    All other settings can be changed in the DomainConfig that is returned.

    Raises: TypeError, ValueError, with the name of the argument.
    """
    return _direct(DomainType.PV, name, kernel, memory, vcpus, cmdline, ramdisk, uuid, disks, nics)


def pvh(
    name: str,
    kernel: str | os.PathLike[str],
    *,
    memory: int | str = "64M",
    vcpus: int = 1,
    cmdline: str = "",
    ramdisk: str | os.PathLike[str] | None = None,
    uuid: UUID | str | None = None,
    disks: Iterable[DeviceDisk] = (),
    nics: Iterable[DeviceNic] = (),
) -> DomainConfig:
    """Returns the configuration of a PVH guest, with hardware virtualisation but no emulated devices.

    The arguments and errors are those of pv().
    """
    return _direct(DomainType.PVH, name, kernel, memory, vcpus, cmdline, ramdisk, uuid, disks, nics)


def _direct(
    kind: DomainType,
    name: str,
    kernel: str | os.PathLike[str],
    memory: int | str,
    vcpus: int,
    cmdline: str,
    ramdisk: str | os.PathLike[str] | None,
    uuid: UUID | str | None,
    disks: Iterable[DeviceDisk],
    nics: Iterable[DeviceNic],
) -> DomainConfig:
    kib = _kib(memory)
    return DomainConfig(
        c_info=DomainCreateInfo(type=kind, name=name, uuid=_uuid(uuid)),
        b_info=DomainBuildInfo(
            max_vcpus=vcpus,
            max_memkb=kib,
            target_memkb=kib,
            kernel=_path("kernel", kernel),
            cmdline=cmdline,
            ramdisk=None if ramdisk is None else _path("ramdisk", ramdisk),
        ),
        disks=list(disks),
        nics=list(nics),
    )


def disk(
    path: str | os.PathLike[str],
    vdev: str = "xvda",
    *,
    format: DiskFormat = DiskFormat.RAW,
    readonly: bool = False,
) -> DeviceDisk:
    """Returns a disk of a guest: an image file or a block device.

    vdev: The name of the disk in the guest.

    format: The format of the image.

    readonly: Whether the guest may only read.

    All other settings can be changed in the DeviceDisk that is returned.

    Raises: TypeError, ValueError, with the name of the argument.
    """
    return DeviceDisk(pdev_path=_path("path", path), vdev=vdev, format=format, readwrite=int(not readonly))


def nic(bridge: str | None = None, *, mac: str | bytes | None = None, ip: str | None = None) -> DeviceNic:
    """Returns a network interface of a guest.

    bridge: The bridge of the host that gets the interface. None: the default bridge.

    mac: The address, as "00:16:3e:12:34:56" or as six octets. None: a random address of Xen's range.

    ip: The IP address of the guest, for hotplug scripts that set up routes.

    All other settings can be changed in the DeviceNic that is returned.

    Raises: ValueError, with the name of the argument.
    """
    settings = DeviceNic(bridge=bridge, ip=ip)
    if mac is not None:
        settings.mac = _mac(mac)
    return settings


def shutdown_action(config: DomainConfig, reason: ShutdownReason) -> ActionOnShutdown:
    """Returns the action that a configuration names for a guest that has stopped for this reason: one of
    on_poweroff, on_reboot, on_crash, on_watchdog and on_soft_reset.

    The library does not carry out the action; the program must do so. For any other reason, for example
    SUSPEND, the action is PRESERVE.
    """
    actions = {
        ShutdownReason.POWEROFF: config.on_poweroff,
        ShutdownReason.REBOOT: config.on_reboot,
        ShutdownReason.CRASH: config.on_crash,
        ShutdownReason.WATCHDOG: config.on_watchdog,
        ShutdownReason.SOFT_RESET: config.on_soft_reset,
    }
    return actions.get(reason, ActionOnShutdown.PRESERVE)


def _mac(mac: str | bytes) -> bytes:
    if isinstance(mac, str) and re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", mac):
        return bytes.fromhex(mac.replace(":", ""))
    if isinstance(mac, bytes) and len(mac) == 6:
        return mac
    raise ValueError(f'mac: an address such as "00:16:3e:12:34:56" is expected, not {mac!r}')


def _kib(memory: int | str) -> int:
    if isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory << 10
    if isinstance(memory, str):
        size = memory.strip().upper().removesuffix("B").removesuffix("I")
        number, unit = size[:-1].rstrip(), size[-1:]
        if unit in _KIB and number.isdecimal() and int(number):
            return int(number) * _KIB[unit]
    raise ValueError(f'memory: a number of MiB, or a size such as "64M" or "2G", is expected, not {memory!r}')


def _path(field: str, path: str | os.PathLike[str]) -> str:
    try:
        text = os.fspath(path)
    except TypeError:
        raise TypeError(f"{field}: a path is expected, not {path!r}") from None
    if not isinstance(text, str) or not text:
        raise ValueError(f"{field}: a path is expected, not {path!r}")
    return os.path.abspath(text)


def _uuid(uuid: UUID | str | None) -> UUID | None:
    if not isinstance(uuid, str):
        return uuid
    from uuid import UUID

    try:
        return UUID(uuid)
    except ValueError:
        raise ValueError(f"uuid: {uuid!r} is not a UUID") from None
