# SPDX-License-Identifier: LGPL-2.1-or-later
"""HVM domains. A guest sees the same machine as under Debian's xl. The creation also starts the device
model."""

from __future__ import annotations

import asyncio
import copy
import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from aioxen import (
    DeviceDisk,
    DomainBuildInfoHvm,
    DomainConfig,
    Hdtype,
    VgaInterfaceInfo,
    VgaInterfaceType,
)
from limits import scaled
from test_device_model import qemus, sockets, until
from worldly import read_node

Sim = Callable[..., str]

FIRST = """
vcpus = 2
vnc = 1
serial = "pty"
disk = ["{image},raw,hda,rw", "{cd},raw,hdc,cdrom"]
vif = ["mac=00:16:3e:11:22:33,bridge=xenbr0"]
"""
SECOND = """
maxmem = 80
maxvcpus = 4
vcpus = 1
vga = "stdvga"
videoram = 32
vnclisten = "0.0.0.0:4"
vncpasswd = "secret"
serial = ["pty", "file:/dev/null"]
usb = 1
usbdevice = ["tablet", "mouse"]
acpi_s3 = 0
acpi_laptop_slate = 1
hpet = 0
timer_mode = "no_missed_ticks_pending"
viridian = ["defaults", "stimer", "!freq"]
boot = "dcn"
nestedhvm = 1
mmio_hole = 1024
keymap = "de"
device_model_args = ["-trace", "first"]
device_model_args_hvm = ["-trace", "second"]
disk = ["{image},raw,xvda,rw", "{table},raw,sdb,r", "vdev=hdd,access=ro,devtype=cdrom", "{cd},raw,xvdf,rw"]
vif = ["mac=00:16:3e:11:22:33,model=e1000", "mac=00:16:3e:11:22:34,type=vif"]
"""
THIRD = """
vga = "none"
nographic = 1
vnc = 0
acpi = 0
apic = 0
vpt_align = 0
altp2m = "limited"
mca_caps = ["lmce"]
usbversion = 2
soundhw = "hda"
vendor_device = "xenserver"
xen_platform_pci = 0
vkb_device = 0
hdtype = "ahci"
kernel = "{image}"
ramdisk = "{cd}"
extra = "console=x"
smbios_firmware = "{table}"
rtc_timeoffset = 3600
disk = ["{image},raw,hda,rw", "{cd},raw,xvdc,rw"]
"""


@pytest.fixture(autouse=True)
def _no_qemu_left(hypervisor: None, sim: Sim) -> Iterator[None]:
    yield
    sim("behaviours", "clear")
    assert qemus() == {}
    assert [name for name in sockets() if "qmp" in name or "root" in name] == []
    # The simulator removes the interface of a QEMU some time after the process has ended.
    end = time.monotonic() + scaled(10)
    while "-emu" in (links := sim("links")):
        assert time.monotonic() < end, links
        time.sleep(0.01)


@pytest.fixture
def files(hvm_files: dict[str, str]) -> dict[str, str]:
    return hvm_files


def information(domid: int) -> bytes:
    """Returns the used octets of the page that describes the machine for hvmloader."""
    memory = ctypes.CDLL(None)  # the simulator's library is preloaded
    memory.xenforeignmemory_open.restype = memory.xenforeignmemory_map.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(memory.xenforeignmemory_open(None, 0))
    frame, error = ctypes.c_ulong(0x9F), ctypes.c_int()
    page = memory.xenforeignmemory_map(
        handle, domid, 1, ctypes.c_size_t(1), ctypes.byref(frame), ctypes.byref(error)
    )
    found = ctypes.string_at(page + 0x800, 48)
    memory.xenforeignmemory_unmap(handle, ctypes.c_void_p(page), ctypes.c_size_t(1))
    memory.xenforeignmemory_close(handle)
    return found


def general(line: str, domid: int) -> str:
    """Returns a line with the domain's number replaced."""
    line = re.sub(rf"(/domain/|backend/\w+/|qmp-libx\w+-){domid}\b", r"\1N", line)
    return re.sub(rf"vif{domid}\.", "vifN.", line)


def nodes(domid: int) -> dict[str, str]:
    """Returns the nodes that the guest, hvmloader and the device model read."""
    text = subprocess.run(
        ["xenstore-ls", "-f", f"/local/domain/{domid}"], capture_output=True, text=True
    ).stdout
    wanted = re.compile(
        r"/local/domain/\d+/(platform|hvmloader|memory|cpu|device|serial|control|console/vnc)"
    )
    changing = re.compile(r".*/(tty|state) = |.*vnc-pass")
    lines = [line for line in text.splitlines() if wanted.match(line) and not changing.match(line)]
    return dict(general(line, domid).split(" = ", 1) for line in lines)


def options(words: list[str], domid: int) -> list[str]:
    return [word if word == str(domid) else general(word, domid) for word in words[1:] if word != str(domid)]


@pytest.mark.parametrize("text", [FIRST, SECOND, THIRD], ids=["usual", "rich", "bare"])
def test_the_machine_is_that_of_xl(
    xl: Callable[..., str], files: dict[str, str], tmp_path: Path, text: str
) -> None:
    config, seen = tmp_path / "cfg", []
    config.write_text('name = "hvm"\ntype = "hvm"\nmemory = 64\n' + text.format(**files))

    def look(domid: int) -> None:
        [words] = qemus().values()
        seen.append((options(words, domid), nodes(domid), information(domid)))

    async def ours() -> int:
        async with aioxen.Context() as xen:
            await (await xen.domain("hvm")).destroy()
            dom = await xen.domain_create(aioxen.load(config))
            look(dom.domid)
            await dom.destroy()
            return dom.domid

    xl("create", "-pq", str(config))
    theirs = int(xl("domid", "hvm"))
    look(theirs)
    mine = asyncio.run(ours())
    assert mine != theirs
    (their_words, their_nodes, their_page), (words, found, page) = seen
    monitor = words.index("socket,id=libxl-cmd,fd=3,server=on,wait=off")
    words[monitor : monitor + 2] = ["socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-N,server=on,wait=off"]
    assert words == their_words
    assert found == their_nodes
    assert page == their_page


async def drivers_of(dom: aioxen.Domain) -> None:
    """Waits until the guest's drivers have connected its devices. Then the guest can be asked to stop."""
    for device in "vbd/768", "vbd/5632", "vif/0":
        node = f"/local/domain/{dom.domid}/device/{device}/state"
        await until(lambda node=node: read_node(node) == "4", device)  # type: ignore[misc]


async def test_a_life(xen: aioxen.Context, hvm: DomainConfig, sim: Sim) -> None:
    dom = await xen.domain_create(hvm)
    path = f"/local/domain/{dom.domid}"
    assert (await dom.info()).domain_type == aioxen.DomainType.HVM
    assert read_node(f"/local/domain/0/device-model/{dom.domid}/state") == "running"
    assert str(read_node(f"{path}/serial/0/tty")).startswith("/dev/pts/")
    assert read_node(f"/libxl/{dom.domid}/dm-version") == "qemu_xen"
    for name in f"vif{dom.domid}.0 vif", f"vif{dom.domid}.0-emu tun":
        assert f"{name} up xenbr0 1500" in sim("links")
    await dom.unpause()
    await drivers_of(dom)
    await dom.shutdown()
    assert await dom.wait_shutdown() == aioxen.ShutdownReason.POWEROFF
    await dom.destroy()


async def test_a_guest_without_drivers_cannot_be_asked(xen: aioxen.Context, hvm: DomainConfig) -> None:
    async with xen.domain_create(hvm) as dom:  # The guest is paused, so its drivers have not started.
        for ask in xen.domain_shutdown, xen.domain_reboot:
            with pytest.raises(aioxen.NoParavirtError, match="has no drivers for Xen"):
                await ask(dom)
        assert not read_node(f"/local/domain/{dom.domid}/control/shutdown")


async def test_the_card_is_awaited(xen: aioxen.Context, hvm: DomainConfig, sim: Sim) -> None:
    """The interface of an emulated card exists only when the device model runs."""
    sim("qemu", "all", "slow=300")
    hvm.nics[0].ifname = "net"
    dom = await xen.domain_create(hvm)
    assert "net-emu tun up xenbr0" in sim("links")
    await dom.destroy()


async def test_xl_works_on_it(xen: aioxen.Context, hvm: DomainConfig, xl: Callable[..., str]) -> None:
    dom = await xen.domain_create(hvm)
    await asyncio.to_thread(xl, "unpause", "hvm")
    assert not (await dom.info()).paused
    await drivers_of(dom)
    await asyncio.to_thread(xl, "shutdown", "hvm")
    assert await dom.wait_shutdown() == aioxen.ShutdownReason.POWEROFF
    await dom.destroy()


@pytest.mark.parametrize("behaviour", ["error=no-firmware", "dies=no-firmware"])
async def test_a_device_model_that_ends(
    xen: aioxen.Context, hvm: DomainConfig, sim: Sim, behaviour: str
) -> None:
    sim("qemu", "all", behaviour)
    with pytest.raises(aioxen.DeviceModelError, match="the device model has ended: qemu: no-firmware"):
        await xen.domain_create(hvm)


@pytest.mark.parametrize("lie", ["garbage", "flood", "nested", "types"])
async def test_a_device_model_that_lies(xen: aioxen.Context, hvm: DomainConfig, sim: Sim, lie: str) -> None:
    sim("qemu", "all", f"lies={lie}")
    with pytest.raises(aioxen.Error, match="query-status: Protocol error"):
        await xen.domain_create(hvm)


async def test_a_device_model_that_never_answers(xen: aioxen.Context, hvm: DomainConfig, sim: Sim) -> None:
    sim("qemu", "all", "lies=silent")
    with pytest.raises(aioxen.TimedOutError):
        await xen.domain_create(hvm, timeout=0.7)


async def test_a_stopped_device_model_ends_with_a_cancelled_creation(
    xen: aioxen.Context, hvm: DomainConfig, sim: Sim
) -> None:
    sim("qemu", "all", "mute")
    creation = asyncio.ensure_future(xen.domain_create(hvm))
    await until(qemus, "no process")
    [pid] = qemus()
    os.kill(pid, signal.SIGSTOP)
    creation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creation


async def test_commands(
    xen: aioxen.Context, hvm: DomainConfig, files: dict[str, str], xl: Callable[..., str]
) -> None:
    dom = await xen.domain_create(hvm)
    assert (await dom.qmp("query-status"))["status"] == "running"
    change = {"id": "ide-5632", "filename": files["cd"]}
    assert await dom.qmp("blockdev-change-medium", change) == {}
    blocks = await dom.qemu_monitor_command("info block")
    assert f"ide-5632: {files['cd']}" in blocks
    printed = await asyncio.to_thread(xl, "qemu-monitor-command", "hvm", "info block")
    assert printed.split() == blocks.split()
    with pytest.raises(aioxen.Error, match="refuses no-such: The command has not been found"):
        await dom.qmp("no-such")
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(aioxen.InvalidError, match="arguments: not an object of JSON"):
        await dom.qmp("stop", {"a": deep})
    with pytest.raises(aioxen.InvalidError, match="arguments: longer than"):
        await dom.qmp("stop", {"a": "b" * (32 << 10)})
    for wrong in [], "{}", {"a": b"b"}, {"a": {1, 2}}:
        with pytest.raises(TypeError, match="arguments: "):
            dom.qmp("stop", wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="arguments: "):
        dom.qmp("stop", {"a": float("inf")})
    with pytest.raises(aioxen.InvalidError, match="command: "):
        await dom.qmp("")
    [pid] = qemus()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not qemus(), "the process stays")
    with pytest.raises(aioxen.DeviceModelError, match=r"has no device model|has ended"):
        await dom.qmp("query-status")
    await dom.destroy()


async def test_no_other_device_model_is_started(
    xen: aioxen.Context, hvm: DomainConfig, files: dict[str, str]
) -> None:
    dom = await xen.domain_create(hvm)
    [pid] = qemus()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not qemus(), "the process stays")
    disk = DeviceDisk(vdev="xvdb", pdev_path=files["cd"], backend=aioxen.DiskBackend.QDISK)
    with pytest.raises(aioxen.DeviceModelError, match="has ended"):
        await dom.disk_add(disk)
    await dom.destroy(timeout=scaled(8))


async def test_twenty_at_once(xen: aioxen.Context, hvm: DomainConfig) -> None:
    async def live(number: int) -> None:
        config = copy.deepcopy(hvm)
        config.c_info.name = f"hvm{number}"
        config.disks, config.nics[0].mac = [], bytes([0, 0x16, 0x3E, 0, 0, number])
        dom = await xen.domain_create(config)
        await dom.destroy()

    await asyncio.gather(*(live(number) for number in range(20)))


async def test_an_invalid_setting_is_named(xen: aioxen.Context, hvm: DomainConfig) -> None:
    hvm.b_info.u = DomainBuildInfoHvm(vga=VgaInterfaceInfo(kind=VgaInterfaceType.STD))
    hvm.b_info.video_memkb = 8 << 10
    with pytest.raises(aioxen.InvalidError, match=r"d_config\.b_info\.video_memkb: less than"):
        await xen.domain_create(hvm)


@pytest.mark.parametrize("vdev", ["hda", "xvdb", "sda", "xvde"])
@pytest.mark.parametrize("hdtype", [Hdtype.IDE, Hdtype.AHCI])
async def test_a_read_only_disk_is_not_emulated_as_a_writable_one(
    xen: aioxen.Context, hvm: DomainConfig, vdev: str, hdtype: Hdtype
) -> None:
    """QEMU has no read-only IDE disks (XSA-142)."""
    hvm.b_info.u = DomainBuildInfoHvm(hdtype=hdtype)
    hvm.disks = [DeviceDisk(vdev=vdev, pdev_path=hvm.disks[0].pdev_path, readwrite=0)]
    emulated = vdev in ("hda", "xvdb") or (hdtype == Hdtype.AHCI and vdev == "xvde")
    if emulated:
        with pytest.raises(aioxen.InvalidError, match=r"d_config\.disks\[0\]\.readwrite: an emulated IDE"):
            await xen.domain_create(hvm)
        return
    dom = await xen.domain_create(hvm)
    [words] = qemus().values()
    drives = [word for word in words if word.startswith("file=")]
    assert all("readonly=on" in drive for drive in drives)
    assert bool(drives) == (vdev == "sda")
    await dom.destroy()


@pytest.mark.parametrize("user", ["root", "0:0", "no-such-user"])
async def test_a_restricted_device_model_is_no_root(
    xen: aioxen.Context, hvm: DomainConfig, user: str
) -> None:
    hvm.b_info.dm_restrict = True
    hvm.b_info.device_model_user = user
    with pytest.raises(aioxen.InvalidError, match=rf"d_config\.b_info\.device_model_user: {user}: "):
        await xen.domain_create(hvm)


async def test_a_restricted_device_model_runs_as_its_user(xen: aioxen.Context, hvm: DomainConfig) -> None:
    hvm.b_info.dm_restrict = True
    hvm.b_info.device_model_user = "nobody"
    dom = await xen.domain_create(hvm)
    [words] = qemus().values()
    assert words[words.index("-runas") + 1] == "nobody"
    await dom.destroy()
