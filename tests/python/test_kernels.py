# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kernels and ramdisks that cannot be used. The error names the right field and file, and the reason."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import aioxen
import pytest
from worldly import Configure

Sim = Callable[..., str]
Make = Callable[[bytes], bytes]

SEGMENT = 64  # The offset of the first program header in the tiny guest's kernel, in octets.
NOTES = SEGMENT + 56
PHYS32_ENTRY = struct.pack("<III", 4, 4, 18) + b"Xen\0"


def bzimage(payload: bytes, *, protocol: int = 0x20F, length: int | None = None) -> bytes:
    """Returns a Linux boot image with one setup sector."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x208] = b"HdrS" + struct.pack("<H", protocol)
    head[0x211] = 1
    head[0x248:0x250] = struct.pack("<II", 0, len(payload) if length is None else length)
    return bytes(head) + payload


def xz(kernel: bytes) -> bytes:
    return lzma.compress(kernel, check=lzma.CHECK_CRC32) + struct.pack("<I", len(kernel))


def lz4(kernel: bytes) -> bytes:
    """Returns data in the old format of lz4, as the kernel's makefiles write it. The only block has one
    run of literals."""
    length = len(kernel) - 15
    block = b"\xf0" + b"\xff" * (length // 255) + bytes([length % 255]) + kernel
    return b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block + struct.pack("<I", len(kernel))


def zstd(kernel: bytes) -> bytes:
    """Returns data in the format of zstd. Its only block is not compressed."""
    head = b"\x28\xb5\x2f\xfd" + b"\xa0" + struct.pack("<I", len(kernel))
    block = (len(kernel) << 3 | 1).to_bytes(3, "little") + kernel
    return head + block + struct.pack("<I", len(kernel))


def lzma_alone(kernel: bytes) -> bytes:
    return lzma.compress(kernel, format=lzma.FORMAT_ALONE) + struct.pack("<I", len(kernel))


def bomb(compress: Make) -> Make:
    """Returns a kernel that is 300 MiB when it is decompressed."""
    return lambda kernel: compress(kernel[:4] + bytes(300 << 20))


def changed(kernel: bytes, offset: int, new: bytes) -> bytes:
    return kernel[:offset] + new + kernel[offset + len(new) :]


def without_notes(kernel: bytes) -> bytes:
    """Returns a kernel without notes. No segment and no section of the kernel has notes."""
    kernel = changed(kernel, NOTES, struct.pack("<I", 0))
    return changed(changed(kernel, 40, bytes(8)), 60, bytes(4))


def without_pvh(kernel: bytes) -> bytes:
    return changed(kernel, kernel.index(PHYS32_ENTRY) + 8, struct.pack("<I", 0x77))


def entry_outside(kernel: bytes) -> bytes:
    return changed(kernel, kernel.index(PHYS32_ENTRY) + 16, struct.pack("<I", 0xF0000000))


def large(kernel: bytes) -> bytes:
    """Returns a kernel that needs 100 MiB."""
    return changed(kernel, SEGMENT + 40, struct.pack("<Q", 100 << 20))


NO_PVH = "not built for PVH domains: it has no note XEN_ELFNOTE_PHYS32_ENTRY"
NO_PV = "not built for PV domains: it has no notes for Xen"


@pytest.mark.parametrize(
    ("machine", "make", "why"),
    [
        ("both", lambda k: b"\x7f", "neither an ELF file nor a bzImage"),
        ("both", lambda k: b"#!/bin/sh\necho no kernel\n" * 40, "neither an ELF file nor a bzImage"),
        ("both", lambda k: k[:40], "a truncated ELF file"),
        ("both", lambda k: k[:600], "a truncated ELF file: its segment 0 goes beyond the end of the file"),
        ("pv", without_notes, NO_PV),
        ("pvh", without_notes, NO_PVH),
        ("pvh", without_pvh, NO_PVH),
        ("pvh", lambda k: bzimage(xz(without_pvh(k))), NO_PVH),
        ("pvh", entry_outside, "its entry for PVH domains, 0xf0000000, is outside of its segments"),
        ("both", large, "does not fit into 24576 KiB of memory: segment kernel too large"),
        (
            "both",
            lambda k: gzip.compress(k)[:200],
            "gzip data that is damaged, truncated or compressed twice",
        ),
        ("both", lambda k: gzip.compress(gzip.compress(k)), "damaged, truncated or compressed twice"),
        ("both", xz, "compressed with xz, but not a bzImage"),
        ("both", bz2.compress, "compressed with bzip2, but not a bzImage"),
        ("both", lambda k: bzimage(bz2.compress(k)), "BZIP2 decompress support unavailable"),
        ("both", lambda k: bzimage(b"\xfd7zXZ\0" + bytes(4000)), "unable to XZ decompress kernel"),
        ("both", lambda k: bzimage(xz(k)[:-900], length=len(xz(k))), "payload length overflow"),
        ("both", lambda k: bzimage(xz(k), protocol=0x207), "boot protocol too old (0207)"),
        ("both", lambda k: bzimage(lz4(k)[:-40]), "unable to LZ4 decompress kernel"),
        ("both", lambda k: bzimage(zstd(k)[:-40]), "unable to ZSTD decompress kernel"),
        ("pv", bomb(lambda k: gzip.compress(k, 1)), "larger than 256 MiB when it is decompressed"),
        (
            "pv",
            bomb(lambda k: bzimage(gzip.compress(k, 1))),
            "larger than 256 MiB when it is decompressed",
        ),
    ],
)
async def test_a_kernel_that_is_refused(
    xen: aioxen.Context, guest: Configure, kernel: Path, tmp_path: Path, machine: str, make: Make, why: str
) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(make(kernel.read_bytes()))
    for kind in ["pv", "pvh"] if machine == "both" else [machine]:
        config = guest(machine=kind)
        config.b_info.kernel = str(path)
        with pytest.raises(aioxen.KernelError) as raised:
            await xen.domain_create(config)
        assert raised.value.message.startswith(f"d_config.b_info.kernel: {path}: ")
        assert why in raised.value.message


@pytest.mark.parametrize("machine", ["pv", "pvh"])
@pytest.mark.parametrize(
    "make",
    [
        gzip.compress,
        *(
            lambda k, compress=compress: bzimage(compress(k))
            for compress in (gzip.compress, xz, lzma_alone, lz4, zstd)
        ),
    ],
    ids=["gzip", *(f"bzImage-{name}" for name in ("gzip", "xz", "lzma", "lz4", "zstd"))],
)
async def test_a_compressed_kernel_boots(
    xen: aioxen.Context, guest: Configure, kernel: Path, tmp_path: Path, machine: str, make: Make
) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(make(kernel.read_bytes()))
    config = guest("p", machine=machine)
    config.b_info.kernel = str(path)
    dom = await xen.domain_create(config)
    await dom.unpause()
    assert await dom.wait_shutdown() is aioxen.ShutdownReason.POWEROFF
    await dom.destroy()


@pytest.mark.parametrize("machine", ["pv", "pvh"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: bytes(40 << 20), "does not fit into 24576 KiB of memory: segment module0 too large"),
        (lambda: gzip.compress(bytes(40 << 20), 1), "does not fit into 24576 KiB of memory"),
        (lambda: gzip.compress(random.Random(1).randbytes(1 << 20), 1)[: 1 << 19] + b"\0\0\x10\0", "inflate"),
    ],
)
async def test_a_ramdisk_that_is_refused(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, machine: str, make: Callable[[], bytes], why: str
) -> None:
    path = tmp_path / "ramdisk"
    path.write_bytes(make())
    with pytest.raises(aioxen.KernelError) as raised:
        await xen.domain_create(guest(machine=machine, ramdisk=path))
    assert raised.value.message.startswith(f"d_config.b_info.ramdisk: {path}: ")
    assert why in raised.value.message


async def test_a_file_that_is_shorter_than_its_size(xen: aioxen.Context, guest: Configure) -> None:
    """A file of sysfs has less content than its size. To the library, such a file looks like one that is
    truncated during the read."""
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    if not os.path.exists(path):
        pytest.skip(f"no {path}")
    with pytest.raises(aioxen.KernelError) as raised:
        await xen.domain_create(guest(ramdisk=path))
    cause = f"d_config.b_info.ramdisk: {path}: the file became shorter while it was read"
    assert raised.value.message.startswith(f"{cause} (")


async def test_a_file_that_is_too_large(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    path = tmp_path / "ramdisk"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(aioxen.KernelError, match=r"ramdisk: .*/ramdisk: larger than 1 GiB"):
        await xen.domain_create(guest(ramdisk=path))


@pytest.mark.parametrize("which", ["kernel", "ramdisk"])
async def test_a_file_that_is_truncated_during_the_build(
    xen: aioxen.Context, guest: Configure, kernel: Path, sim: Sim, tmp_path: Path, which: str
) -> None:
    """The build uses the file's contents at the start of the build. If the library mapped the file, a
    shorter file would end this process by SIGBUS."""
    files = {"kernel": tmp_path / "kernel", "ramdisk": tmp_path / "ramdisk"}
    files["kernel"].write_bytes(kernel.read_bytes())
    files["ramdisk"].write_bytes(os.urandom(8 << 20))
    sim("fault", "add", "--pid", str(os.getpid()), "memory_op.populate_physmap:1:1000ms")
    config = guest("p", ramdisk=files["ramdisk"])
    config.b_info.kernel = str(files["kernel"])
    making = xen.domain_create(config)
    # The last word of the list is the number of calls that the fault has hit.
    while sim("fault", "list").split()[-1] == "0":
        await asyncio.sleep(0.01)
    os.truncate(files[which], 0)
    dom = await making
    await dom.unpause()
    assert await dom.wait_shutdown() is aioxen.ShutdownReason.POWEROFF
    await dom.destroy()
