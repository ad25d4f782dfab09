# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns pv() and pvh(). Each returns the configuration of a guest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aioxen.types import DomainBuildInfo, DomainConfig, DomainCreateInfo, DomainType

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
) -> DomainConfig:
    """The configuration of a PV guest that boots `kernel` directly.

    memory: MiB as an int, or a string with a unit: "64M", "2G".

    uuid: None: the domain gets a random UUID.

    All other settings can be changed in the DomainConfig that is returned.

    Raises: TypeError, ValueError, with the name of the argument.
    """
    return _direct(DomainType.PV, name, kernel, memory, vcpus, cmdline, ramdisk, uuid)


def pvh(
    name: str,
    kernel: str | os.PathLike[str],
    *,
    memory: int | str = "64M",
    vcpus: int = 1,
    cmdline: str = "",
    ramdisk: str | os.PathLike[str] | None = None,
    uuid: UUID | str | None = None,
) -> DomainConfig:
    """The configuration of a PVH guest, with hardware virtualisation but no emulated devices.

    The arguments and errors are those of pv().
    """
    return _direct(DomainType.PVH, name, kernel, memory, vcpus, cmdline, ramdisk, uuid)


def _direct(
    kind: DomainType,
    name: str,
    kernel: str | os.PathLike[str],
    memory: int | str,
    vcpus: int,
    cmdline: str,
    ramdisk: str | os.PathLike[str] | None,
    uuid: UUID | str | None,
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
    )


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
