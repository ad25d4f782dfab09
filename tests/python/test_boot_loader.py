# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest boots the kernel that its boot loader chooses. If the boot loader fails, the error of the
creation contains the boot loader's output."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from pathlib import Path

import aioxen
import pytest
from worldly import Configure, read_node

START = r"""#!/bin/sh
for a; do case $a in
    --output=*) out=${a#*=} ;;
    --output-directory=*) dir=${a#*=} ;;
esac; done
"""
CHOOSE = "cp KERNEL $dir/k && printf 'kernel %s/k\\0args p chosen\\0\\0' $dir >$out\n"

Loading = Callable[..., aioxen.DomainConfig]


def left() -> list[str]:
    return [name for name in os.listdir("/var/lib/xen") if name.startswith("bootloader.")]


@pytest.fixture
def loading(guest: Configure, kernel: Path, tmp_path: Path) -> Loading:
    """Makes the configuration of a guest whose boot loader is a shell script."""

    def configure(script: str, **more: object) -> aioxen.DomainConfig:
        loader, disk = tmp_path / "loader", tmp_path / "disk"
        loader.write_text(START + script.replace("KERNEL", str(kernel)))
        loader.chmod(0o700)
        disk.write_bytes(bytes(1 << 20))
        config = guest(**more)
        config.b_info.kernel = None
        config.b_info.bootloader = str(loader)
        config.disks = [
            aioxen.DeviceDisk(pdev_path=str(disk), vdev="xvda", format=aioxen.DiskFormat.RAW, readwrite=1)
        ]
        return config

    return configure


@pytest.mark.parametrize("machine", ["pv", "pvh"])
async def test_the_chosen_kernel_is_booted_with_the_chosen_arguments(
    xen: aioxen.Context, loading: Loading, machine: str
) -> None:
    """With the command line "b" of the configuration, the guest would block for ever. The boot loader
    chooses "p", and the guest powers off."""
    dom = await xen.domain_create(loading(CHOOSE, machine=machine))
    assert left() == []
    await dom.unpause()
    assert await dom.wait_shutdown() is aioxen.ShutdownReason.POWEROFF
    await dom.destroy()


async def test_the_arguments_are_those_that_libxl_gives(
    xen: aioxen.Context, loading: Loading, tmp_path: Path
) -> None:
    config = loading(f'printf "%s\\n" "$@" TERM=$TERM >{tmp_path}/args; ' + CHOOSE)
    config.b_info.kernel, config.b_info.ramdisk = "/boot/vmlinuz", "/boot/initrd"
    config.b_info.cmdline = "two words"
    config.b_info.bootloader_args = ["--quiet", "a b"]
    dom = await xen.domain_create(config)
    place = f"/var/lib/xen/bootloader.{dom.domid}"
    assert (tmp_path / "args").read_text().splitlines() == [
        *["--kernel=/boot/vmlinuz", "--ramdisk=/boot/initrd", "--args=two words"],
        *[f"--output={place}.out", "--output-format=simple0", f"--output-directory={place}.d"],
        *["--quiet", "a b", str(tmp_path / "disk"), "TERM=vt100"],
    ]
    await dom.destroy()


async def test_a_client_reads_and_types_at_the_shown_terminal(
    xen: aioxen.Context, loading: Loading, tmp_path: Path
) -> None:
    making = xen.domain_create(
        loading(f"read first; echo Which?; read answer; echo $answer >{tmp_path}/answer; " + CHOOSE)
    )
    name = None
    while not name:
        await asyncio.sleep(0.01)
        domids = [info.domid for info in await xen.domain_list() if info.domid]
        name = read_node(f"/local/domain/{max(domids)}/console/tty") if domids else None
    client = os.open(name, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(client)
    os.write(client, b"\r")  # The boot loader prints only after a client has written.
    printed = b""
    while b"Which?" not in printed:
        printed += await asyncio.to_thread(os.read, client, 1000)
    os.write(client, b"this one\r")
    dom = await making
    os.close(client)
    assert (tmp_path / "answer").read_text() == "this one\n"
    assert read_node(f"/local/domain/{dom.domid}/console/tty") != name
    await dom.destroy()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            r"printf 'no \033[1mkernel\033[0m\r\n'; echo here; exit 3",
            "exit status 3; it printed last: no kernel / here",
        ),
        ("exit 4", "exit status 4"),
        ("kill -9 $$", "killed by signal 9"),
        ("echo waiting; sleep 100", "did not end within 1 s; it printed last: waiting"),
        ("yes flood | head -c 3000000; exit 5", "exit status 5; it printed last: flood / flood / flood"),
        (": >$out", "its reply names no kernel"),
        ("rm $out", "its reply cannot be read: No such file or directory"),
        ("head -c 70000 /dev/zero >$out", "its reply is longer than 64 KiB"),
        ("printf 'kernels\\0' >$out", "its reply has an unknown item: kernels"),
        ("printf 'kernel /etc/passwd\\0' >$out", "not in the boot loader's directory: /etc/passwd"),
        ("printf 'kernel %s/../x\\0' $dir >$out", "not in the boot loader's directory: "),
        ("printf 'kernel %s/..\\0' $dir >$out", "not in the boot loader's directory: "),
        ("printf 'kernel %s/k\\0' $dir >$out", "cannot be opened: "),
        ("ln -s /etc/passwd $dir/k; printf 'kernel %s/k\\0' $dir >$out", "cannot be opened: "),
        ("mkfifo $dir/k; printf 'kernel %s/k\\0' $dir >$out", "not a regular file"),
        (": >$dir/k; printf 'kernel %s/k\\0' $dir >$out", "the file is empty"),
        (": >$dir/k; printf 'kernel %s/k\\0kernel %s/k\\0' $dir $dir >$out", "two files for one purpose"),
        ("mkdir -p $dir/a/b; : >$dir/a/b/c; exit 6", "exit status 6"),
        (CHOOSE + "printf 'args %2000s\\0' x >>$out", "longer than 1023 octets"),
    ],
)
async def test_a_boot_loader_that_is_refused(
    xen: aioxen.Context, loading: Loading, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    monkeypatch.setenv("LIBXL_BOOTLOADER_TIMEOUT", "1" if "sleep" in script else "60")
    with pytest.raises(aioxen.KernelError) as raised:
        await xen.domain_create(loading(script))
    assert raised.value.message.startswith("d_config.b_info.bootloader: ")
    assert why in raised.value.message
    assert left() == []


async def test_a_boot_loader_that_is_missing(xen: aioxen.Context, loading: Loading) -> None:
    for name in ("/nowhere/pygrub", "no-such-boot-loader"):
        config = loading("")
        config.b_info.bootloader = name
        with pytest.raises(aioxen.KernelError, match=rf"bootloader: {name}: .*No such file or directory"):
            await xen.domain_create(config)
    assert left() == []


async def test_an_aborted_creation_ends_the_boot_loader(
    xen: aioxen.Context, loading: Loading, tmp_path: Path
) -> None:
    making = xen.domain_create(loading(f"echo $$ >{tmp_path}/pid; sleep 100"))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await asyncio.sleep(0.01)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    assert left() == []


async def test_a_disk_that_no_boot_loader_can_read(xen: aioxen.Context, loading: Loading) -> None:
    config = loading(CHOOSE)
    config.disks[0].format = aioxen.DiskFormat.QCOW2
    with pytest.raises(
        aioxen.Error, match=r"d_config\.disks\[0\]\.format: a boot loader reads raw disks only"
    ):
        await xen.domain_create(config)
    config.disks = []
    with pytest.raises(aioxen.InvalidError, match=r"d_config\.disks: missing"):
        await xen.domain_create(config)
