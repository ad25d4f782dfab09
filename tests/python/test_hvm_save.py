# SPDX-License-Identifier: LGPL-2.1-or-later
"""HVM domains are saved, restored and moved with the state of their device model, by this library and by xl.
After a failure the guest and its device model run, and nothing is left."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import DeviceDisk, DomainBuildInfoHvm, DomainConfig
from limits import scaled
from migrating import Moment
from saving import programs, resumed, runs, saver, seeded, verify
from test_device_model import qemus, sockets
from test_migrate import RELAY, Far, accepted, second_world
from worldly import read_node, write_node

Sim = Callable[..., str]
NAME = "machine"
PAGE_DATA, XENSTORE_DATA, EMULATOR_CONTEXT = 1, 2, 3
CALLBACK_IRQ = 0
"""The parameter of an HVM domain that is 0 if its guest has no drivers for Xen."""


@pytest.fixture(autouse=True)
def _no_qemu_left(hypervisor: None, sim: Sim) -> Iterator[None]:
    yield
    sim("behaviours", "clear")
    assert qemus() == {} and programs() == []
    assert [name for name in sockets() if "qmp" in name] == []


@pytest.fixture
def config(tmp_path: Path) -> DomainConfig:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 16))
    config = DomainConfig()
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = NAME
    config.b_info.max_memkb = config.b_info.target_memkb = 32 << 10
    config.b_info.u = DomainBuildInfoHvm(serial="pty")
    config.disks = [
        DeviceDisk(vdev="hda", pdev_path=str(image), readwrite=1),
        DeviceDisk(vdev="hdc", is_cdrom=1, removable=1),
    ]
    return config


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    with second_world(tmp_path) as there:
        yield there


async def started(xen: aioxen.Context, config: DomainConfig) -> aioxen.Domain:
    dom = await xen.domain_create(config)
    await dom.unpause()
    return dom


async def machine_of(dom: aioxen.Domain) -> str:
    """Returns the name of the simulated QEMU's machine, which is a part of QEMU's state. If QEMU notes which
    pages it changes, "logs" follows the name."""
    return (await dom.qemu_monitor_command("info name")).strip()


async def model_runs(dom: aioxen.Domain) -> bool:
    return bool((await dom.qmp("query-status"))["running"])


async def all_runs(dom: aioxen.Domain, machine: str) -> bool:
    """Returns whether the guest and its device model run."""
    return await model_runs(dom) and await machine_of(dom) == machine and await runs(dom)


def set_parameter(domid: int, parameter: int, value: int) -> None:
    xen = ctypes.CDLL("libxenctrl.so.4.17")
    xen.xc_interface_open.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(xen.xc_interface_open(None, None, 0))
    assert xen.xc_hvm_param_set(handle, domid, parameter, ctypes.c_uint64(value)) == 0
    xen.xc_interface_close(handle)


def stored(file: Path) -> Any:
    """Returns the configuration of xl's header, whose form is described in src/xen/transfer_messages.h."""
    octets = file.read_bytes()
    (length,) = struct.unpack_from("<I", octets, 48)
    return json.loads(octets[52 : 52 + length].rstrip(b"\0"))


@pytest.mark.parametrize("saver", ["xl", "aioxen"])
@pytest.mark.parametrize("restorer", ["xl", "aioxen"])
async def test_xl_and_aioxen_read_each_others_files(
    xen: aioxen.Context,
    config: DomainConfig,
    tmp_path: Path,
    xl: Callable[..., str],
    saver: str,
    restorer: str,
) -> None:
    dom = await started(xen, config)
    file, machine = tmp_path / "saved", await machine_of(dom)
    memory = read_node(f"/local/domain/{dom.domid}/memory/target")
    node = "/local/domain/0/device-model/%u/physmap/f0000000/%s"
    physmap = {"start_addr": "f1000000", "size": "800000", "name": "vga.vram"}
    for key, value in physmap.items():  # These are nodes as a QEMU older than 2.11 writes them.
        write_node(node % (dom.domid, key), value)
    if saver == "xl":
        await asyncio.to_thread(xl, "save", NAME, str(file))
    else:
        await dom.save(file, live=True)
        # Without shadow_memkb in the file, xl could compute too little shadow memory for a small domain.
        assert stored(file)["b_info"]["shadow_memkb"] == 1024 + 8 * (config.b_info.max_memkb // 1024)
    if restorer == "xl":
        await asyncio.to_thread(xl, "restore", "-e", str(file))
        restored = await xen.domain_find(NAME)
    else:
        restored = await xen.restore(file)
        assert (await restored.info()).paused
        await restored.unpause()
    assert restored.uuid == dom.uuid and restored.domid != dom.domid
    assert read_node(f"/local/domain/{restored.domid}/memory/target") == memory
    assert {key: read_node(node % (restored.domid, key)) for key in physmap} == physmap
    assert await all_runs(restored, machine)
    await restored.destroy()


async def test_a_guest_without_drivers_is_saved(
    xen: aioxen.Context, config: DomainConfig, tmp_path: Path
) -> None:
    """A guest without Xen's drivers, or one that sleeps, cannot be asked to suspend itself. The hypervisor
    suspends it."""
    dom = await xen.domain_create(config)  # the guest stays paused, so it cannot answer
    machine = await machine_of(dom)
    set_parameter(dom.domid, CALLBACK_IRQ, 1)
    with pytest.raises(aioxen.TimedOutError):
        await dom.suspend_only(timeout=0.2)
    set_parameter(dom.domid, CALLBACK_IRQ, 0)
    await dom.suspend_only(timeout=scaled(20))
    assert (await dom.info()).shutdown_reason is aioxen.ShutdownReason.SUSPEND
    await dom.resume()
    await dom.save(tmp_path / "saved", timeout=scaled(20))
    restored = await xen.restore(tmp_path / "saved")
    assert await machine_of(restored) == machine
    await restored.destroy()


async def test_the_device_model_goes_on(xen: aioxen.Context, config: DomainConfig, tmp_path: Path) -> None:
    dom = await started(xen, config)
    machine = await machine_of(dom)
    await dom.save(tmp_path / "saved", afterwards="resume")
    await asyncio.to_thread(verify, tmp_path / "saved")
    assert await model_runs(dom) and await machine_of(dom) == machine
    reader, writer = os.pipe()
    saving = dom.save_stream(writer, aioxen.Suspend.LIVE)
    await asyncio.to_thread(os.read, reader, 100)
    os.close(reader)
    with pytest.raises(aioxen.FailedError, match="fd: Broken pipe"):
        await saving
    os.close(writer)
    assert await all_runs(dom, machine)
    await dom.destroy()


async def test_a_cancelled_save_leaves_a_running_guest(
    xen: aioxen.Context, config: DomainConfig, tmp_path: Path
) -> None:
    chance = seeded()
    file = tmp_path / "saved"
    dom = await started(xen, config)
    machine = await machine_of(dom)
    for number in range(12):
        saving = asyncio.create_task(dom.save(file, live=number % 2 == 0, afterwards="resume"))
        await asyncio.sleep(chance.random() * 0.4)
        saving.cancel()
        await asyncio.wait([saving])
        assert not (await dom.info()).shutdown
        assert await model_runs(dom) and await machine_of(dom) == machine
        file.unlink(missing_ok=True)
    assert await runs(dom)
    await dom.destroy()


async def test_a_cancellation_does_not_stop_the_resume_after_a_save(
    xen: aioxen.Context, config: DomainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The save is cancelled while the guest of the saved domain is resumed. The file is complete."""
    dom = await started(xen, config)
    machine = await machine_of(dom)
    resume = aioxen.Context.domain_resume

    def cancelling(*arguments: Any) -> Any:
        resuming = resume(*arguments)
        asyncio.get_running_loop().call_soon(saving.cancel)
        return resuming

    monkeypatch.setattr(aioxen.Context, "domain_resume", cancelling)
    saving = asyncio.create_task(dom.save(tmp_path / "saved", afterwards="resume"))
    await asyncio.wait([saving])
    assert saving.cancelled() and (tmp_path / "saved").exists()
    assert not (await dom.info()).shutdown and await runs(dom)
    assert await model_runs(dom) and await machine_of(dom) == machine
    await dom.destroy()


@pytest.mark.parametrize("what", ["program", "process", "both"])
async def test_a_kill_leaves_a_running_guest(xen: aioxen.Context, config: DomainConfig, what: str) -> None:
    """The program that saves, the process that runs it, or both are killed while the guest is suspended."""
    dom = await started(xen, config)
    machine = await machine_of(dom)
    process = await saver(dom, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    while await model_runs(dom):  # the full pipe stops the save before its end
        await asyncio.sleep(0.001)
    (program,) = programs()
    if what == "both":
        os.kill(program, signal.SIGSTOP)
    if what != "program":
        process.kill()
    if what != "process":
        os.kill(program, signal.SIGKILL)
    assert process.stdout
    while await process.stdout.read(1 << 20):
        pass
    await process.wait()
    if what == "both":
        assert [one.uuid for one in await xen.unfinished()] == [dom.uuid]
        await xen.resume_unfinished(dom.uuid)
    await resumed(dom)
    # A killed program cannot end log-dirty mode, so "logs" may follow the name of the machine.
    assert (await machine_of(dom)).startswith(machine) and await model_runs(dom) and await runs(dom)
    await dom.destroy()
    assert await xen.unfinished() == []


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("lies=garbage", "the device model: xen-set-global-dirty-log: Protocol error"),
        ("lies=nested", "the device model: xen-set-global-dirty-log: Protocol error"),
        ("dies=broken", "the device model: xen-set-global-dirty-log: "),
    ],
)
async def test_a_device_model_that_fails_ends_the_save(
    xen: aioxen.Context, config: DomainConfig, sim: Sim, tmp_path: Path, behaviour: str, words: str
) -> None:
    dom = await started(xen, config)
    sim("qemu", "all", behaviour)
    with pytest.raises(aioxen.DeviceModelError, match=words):
        await dom.save(tmp_path / "saved", timeout=scaled(60))
    assert not (tmp_path / "saved").exists() and not (await dom.info()).shutdown
    await dom.destroy()


async def test_the_program_uses_the_application_s_xenstored(
    xen: aioxen.Context, config: DomainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dom = await started(xen, config)
    monkeypatch.setenv("XENSTORED_PATH", str(tmp_path / "none"))
    with pytest.raises(aioxen.DeviceModelError, match="its nodes in xenstore: cannot be read"):
        await dom.save(tmp_path / "saved", timeout=scaled(60))
    monkeypatch.delenv("XENSTORED_PATH")
    await dom.save(tmp_path / "saved", timeout=scaled(60))


async def test_a_domain_with_a_pci_device_is_refused(
    xen: aioxen.Context, config: DomainConfig, tmp_path: Path
) -> None:
    dom = await started(xen, config)
    path = f"/local/domain/0/backend/pci/{dom.domid}/0/num_devs"
    write_node(path, "1")
    with pytest.raises(aioxen.InvalidError, match=path):
        await dom.save(tmp_path / "saved")
    await dom.destroy()


async def arrived(far: Far, machine: str) -> bool:
    """Returns whether the guest and its device model run on the second machine, and destroys them."""
    states, found = await far("states"), await far("monitor", NAME, "info name")
    return await far("end", NAME) and (states, found) == ({NAME: "runs"}, machine)


async def test_a_guest_moves(
    xen: aioxen.Context, config: DomainConfig, far: Far, xl: Callable[..., str]
) -> None:
    """Migrations by this library on both sides, from this library to xl, and from xl to this library. A
    cancelled migration leaves the guest here."""
    for sender, receiver in ("aioxen", "aioxen"), ("aioxen", "xl"), ("xl", "aioxen"):
        dom = await started(xen, config)
        machine = await machine_of(dom)
        await (far("receive") if receiver == "aioxen" else far("spawn", "xl", "migrate-receive", "-e"))
        if sender == "aioxen":
            await dom.migrate(far.path)
        else:
            await asyncio.to_thread(xl, "migrate", "-s", "", NAME, " ".join([*RELAY, str(far.path)]))
        assert await far("ended") in {"status 0", "domain 1", "domain 2", "domain 3"}
        assert await arrived(far, machine)
        assert [info.domid for info in await xen.domain_list()] == [0]
    dom = await started(xen, config)
    machine = await machine_of(dom)
    for phase in "send", "received", "rename":
        moment = Moment(phase, 2000)
        await far("receive")
        moving = asyncio.create_task(dom.migrate(far.path, progress=moment))
        await moment.wait(moving)
        moving.cancel()
        await asyncio.wait([moving])
        await accepted(far)
        await far("finish")
        assert await far("states") == {}
        assert not (await dom.info()).shutdown
        assert await model_runs(dom) and await machine_of(dom) == machine
    assert await runs(dom)
    await dom.destroy()


def shortened(data: bytes) -> tuple[bytes, int, int]:
    """Returns a saved domain without most of its memory, which is quickly restored. Also returns where the
    record with the state of the device model begins, and where the last record begins."""
    (size,) = struct.unpack_from("<I", data, 44)
    at = 48 + size + 16 + 8 + 24 + 16  # the headers of xl, libxl and libxenguest, and a record
    kept, kind = [data[:at]], PAGE_DATA
    while kind != 0:
        kind, length = struct.unpack_from("<II", data, at)
        after = at + 8 + length + (-length & 7)
        special = kind == PAGE_DATA and struct.unpack_from("<Q", data, at + 16)[0] >= 0xF0000
        if kind != PAGE_DATA or special:
            kept.append(data[at:after])
        at = after
    (length,) = struct.unpack_from("<I", data, at + 4)
    assert struct.unpack_from("<II", data, at) == (EMULATOR_CONTEXT, length)
    assert data[at + 8 + length + (-length & 7) :] == bytes(8)
    head = b"".join(kept)
    return head + data[at:], len(head), len(head) + len(data) - at - 8


async def test_a_cancelled_restore_leaves_no_domain(
    xen: aioxen.Context, config: DomainConfig, tmp_path: Path
) -> None:
    chance = seeded()
    dom = await started(xen, config)
    file = tmp_path / "saved"
    await dom.save(file)
    file.write_bytes(shortened(file.read_bytes())[0])
    for _ in range(8):
        restoring = asyncio.create_task(xen.restore(file))
        await asyncio.sleep(chance.random() * 0.3)
        restoring.cancel()
        await asyncio.wait([restoring])
        if not restoring.cancelled():
            await restoring.result().destroy()
        assert [info.domid for info in await xen.domain_list()] == [0] and qemus() == {}


def changed(data: bytes, at: int, octets: bytes) -> bytes:
    return data[:at] + octets + data[at + len(octets) :]


async def test_a_wrong_state_leaves_no_domain(
    xen: aioxen.Context, config: DomainConfig, tmp_path: Path
) -> None:
    dom = await started(xen, config)
    file = tmp_path / "saved"
    await dom.save(file)
    data, state, end = shortened(file.read_bytes())
    node = b"physmap/1/size\0" + b"1\0"

    def with_nodes(nodes: bytes) -> bytes:
        record = struct.pack("<IIII", XENSTORE_DATA, 8 + len(nodes), 2, 0) + nodes + bytes(-len(nodes) % 8)
        return data[:state] + record + data[state:]

    wrong = {
        "the stream ends too early": [data[: state + 4], data[: state + 13], data[: state + 999], data[:end]],
        "type 4 (CHECKPOINT_END) is not expected here": [changed(data, state, struct.pack("<I", 4))],
        "a record of the type 77 is not expected here": [changed(data, end, struct.pack("<I", 77))],
        "another device model than QEMU": [changed(data, state + 8, b"\1")],
        "a second device model": [changed(data, state + 12, b"\1")],
        "is too short": [changed(data, state + 4, struct.pack("<I", 7))],
        "the state of the device model is empty": [changed(data, state + 4, struct.pack("<I", 8))],
        "the state of the device model is too large": [changed(data, state + 4, b"\xff\xff\xff\xff")],
        "it has no state of a device model": [data[:state] + data[end:]],
        "two states of a device model": [data[:end] + data[state:]],
        "the device model's node '../../1/name' is not expected": [with_nodes(b"../../1/name\0x\0")],
        "the device model's node 'state' is not expected": [with_nodes(b"state\0running\0")],
        "the device model's node 'physmap/1/size' has no value": [with_nodes(b"physmap/1/size\0")],
        "nodes are too many": [with_nodes(node * 769)],
        "a device model's nodes has no end": [with_nodes(b"physmap")],
        "the device model has ended: qemu: error while loading state": [changed(data, state + 5000, b"xyz")],
    }
    for words, files in wrong.items():
        for content in files:
            file.write_bytes(content)
            with pytest.raises(aioxen.Error) as caught:
                await xen.restore(file, timeout=scaled(60))
            assert words in str(caught.value)
            assert isinstance(caught.value, aioxen.InvalidError | aioxen.DeviceModelError)
            assert [info.domid for info in await xen.domain_list()] == [0] and qemus() == {}
    file.write_bytes(data)
    restored = await xen.restore(file)
    await restored.destroy()
