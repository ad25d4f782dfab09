# SPDX-License-Identifier: LGPL-2.1-or-later
"""Extracts the uncompressed ELF file of a Linux kernel. Lists kernel modules in the order in which
they load."""

import lzma
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

# Offsets in a bzImage in bytes, from the boot protocol.
SETUP_SECTORS = 0x1F1
SIGNATURE = 0x202
PAYLOAD = 0x248
SECTOR = 512


def uncompressed(bzimage: Path) -> bytes:
    """Returns the ELF file inside a bzImage. Under emulation, Xen would need seconds at each boot to
    unpack a bzImage."""
    image = bzimage.read_bytes()
    if image[SIGNATURE : SIGNATURE + 4] != b"HdrS":
        raise ValueError(f"{bzimage}: no compressed kernel inside")
    setup_sectors = image[SETUP_SECTORS]
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = (setup_sectors + 1) * SECTOR + offset
    elf = lzma.LZMADecompressor().decompress(image[start : start + length])
    if elf[:4] != b"\x7fELF":
        raise ValueError(f"{bzimage}: no ELF inside")
    return elf


class Modules:
    """The modules of one kernel. This class does not use depmod, because depmod would write into the
    modules' directory."""

    def __init__(self, directory: Path) -> None:
        self._paths = {_name(path.stem): path for path in directory.rglob("*.ko")}
        builtin = (directory / "modules.builtin").read_text().split()
        self._builtin = {_name(Path(path).stem) for path in builtin}

    def in_load_order(self, names: Iterable[str]) -> Iterator[Path]:
        """Returns the files of the modules. Each module follows its dependencies."""
        done: set[str] = set()

        def visit(name: str) -> Iterator[Path]:
            if name in done or name in self._builtin:
                return
            done.add(name)
            if name not in self._paths:
                raise ValueError(f"this kernel has no module {name}")
            path = self._paths[name]
            for dependency in _depends(path):
                yield from visit(dependency)
            yield path

        for name in names:
            yield from visit(_name(name))


def _name(stem: str) -> str:
    return stem.replace("-", "_")


def _depends(module: Path) -> list[str]:
    found = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return [_name(name) for name in found[1].decode().split(",") if name] if found else []
