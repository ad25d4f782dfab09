# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stored configuration of a domain follows the domain's changes. A program can create another domain
from this configuration."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aioxen
import pytest
from worldly import ROOT, Configure


async def test_a_domain_can_be_made_again_from_its_configuration(
    xen: aioxen.Context, guest: Configure
) -> None:
    first = await xen.domain_create(guest("b"))
    config = await first.configuration()
    assert config.c_info.uuid == first.uuid
    assert config.b_info.cmdline == "b"
    config.c_info.name = f"{config.c_info.name}-again"
    config.c_info.uuid = uuid.UUID(int=0)
    second = await xen.domain_create(config)
    again = await second.configuration()
    config.c_info.uuid = second.uuid
    assert again == config
    await second.destroy()
    await first.destroy()


async def test_a_removed_disk_is_not_in_the_configuration(
    xen: aioxen.Context, guest: Configure, sim: object, nothing_left: None, tmp_path: Path
) -> None:
    config = guest("b")
    for name in "xvda", "xvdb":
        image = tmp_path / name
        image.write_bytes(bytes(1 << 20))
        config.disks.append(aioxen.disk(image, name))
    dom = await xen.domain_create(config)
    assert [disk.vdev for disk in (await dom.configuration()).disks] == ["xvda", "xvdb"]
    await dom.disk_destroy(config.disks[0])
    assert [disk.vdev for disk in (await dom.configuration()).disks] == ["xvdb"]
    await dom.destroy()


async def test_removed_devices_of_all_classes_are_not_in_the_configuration(
    xen: aioxen.Context, guest: Configure, sim: object, nothing_left: None, tmp_path: Path
) -> None:
    """The file of the stored configuration cannot be written while the devices are removed, so it still has
    them. A call that reads the configuration leaves out devices that do not exist."""
    config = guest("b")
    config.disks = [aioxen.disk(blank(tmp_path / "image"), "xvda")]
    config.nics = [aioxen.DeviceNic(devid=0)]
    config.p9s = [aioxen.DeviceP9(devid=number, tag=f"t{number}", path=str(tmp_path)) for number in (0, 1)]
    config.vfbs = [aioxen.DeviceVfb(devid=0)]
    config.vkbs = [aioxen.DeviceVkb(devid=0)]
    config.vtpms = [aioxen.DeviceVtpm(devid=0)]
    dom = await xen.domain_create(config)
    (file,) = Path("/var/lib/xen").glob(f"userdata-d.{dom.domid}.*.libxl-json")
    before = json.loads(file.read_text().rstrip("\0"))
    fresh = file.with_name(file.name.replace("userdata-d.", "userdata-n.", 1))
    fresh.mkdir()  # The library writes the changed file under this name first, and now cannot.
    await dom.disk_destroy(config.disks[0])
    await dom.nic_destroy(config.nics[0])
    await dom.p9_destroy(config.p9s[0])
    await dom.vfb_destroy(config.vfbs[0])
    await dom.vkb_destroy(config.vkbs[0])
    await dom.vtpm_destroy(config.vtpms[0])
    fresh.rmdir()
    assert json.loads(file.read_text().rstrip("\0")) == before
    now = await dom.configuration()
    assert [share.tag for share in now.p9s] == ["t1"]
    assert (now.disks, now.nics, now.vfbs, now.vkbs, now.vtpms) == ([], [], [], [], [])
    await dom.destroy()


async def test_the_devices_of_xl_are_in_the_configuration(
    xen: aioxen.Context, xl: Callable[..., str], sim: object, nothing_left: None, tmp_path: Path
) -> None:
    path, image = tmp_path / "cfg", blank(tmp_path / "image")
    path.write_text(
        f'name = "theirs"\ntype = "pv"\nkernel = "{ROOT}/build/guest/tiny"\nmemory = 24\nextra = "b"\n'
        f'disk = ["{image},raw,xvda,w"]\nvif = [""]\nvfb = ["vnc=1"]\nvtpm = ["backend=0"]\n'
        f'p9 = ["tag=share,security_model=none,path={tmp_path}"]\n'
        'channel = ["connection=pty,name=org.first", "connection=pty,name=org.second"]\n'
    )
    await asyncio.to_thread(xl, "create", "-pq", str(path))
    dom = await xen.domain_find("theirs")
    config = await dom.configuration()
    counts = {
        name: len(getattr(config, name))
        for name in ("disks", "nics", "p9s", "vfbs", "vkbs", "vtpms", "channels")
    }
    assert counts == {"disks": 1, "nics": 1, "p9s": 1, "vfbs": 1, "vkbs": 1, "vtpms": 1, "channels": 2}
    await dom.destroy()


def blank(path: Path) -> Path:
    path.write_bytes(bytes(1 << 20))
    return path


async def stored(dom: aioxen.Domain, xl: Callable[..., str], kind: str) -> list[dict[str, Any]]:
    """Returns the domain's devices of a kind, as `xl list -l` prints them."""
    (entry,) = json.loads(await asyncio.to_thread(xl, "list", "-l", str(dom.domid)))
    devices: list[dict[str, Any]] = entry["config"].get(kind, [])
    return devices


async def test_xl_lists_the_disk_that_was_plugged_and_not_the_one_that_was_unplugged(
    xen: aioxen.Context,
    guest: Configure,
    xl: Callable[..., str],
    sim: object,
    nothing_left: None,
    tmp_path: Path,
) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    first, second = (aioxen.disk(blank(tmp_path / name), name) for name in ("xvda", "xvdb"))
    await dom.disk_add(first)
    await dom.disk_add(second)
    with pytest.raises(aioxen.DeviceExistsError):
        await dom.disk_add(aioxen.disk(blank(tmp_path / "other"), "xvdb"))
    assert (await dom.configuration()).disks[1].pdev_path == second.pdev_path
    assert [disk["vdev"] for disk in await stored(dom, xl, "disks")] == ["xvda", "xvdb"]
    await dom.disk_remove(first)
    assert [disk["vdev"] for disk in await stored(dom, xl, "disks")] == ["xvdb"]
    assert [disk.vdev for disk in (await dom.configuration()).disks] == ["xvdb"]
    (file,) = Path("/var/lib/xen").glob(f"userdata-d.{dom.domid}.*.libxl-json")
    assert "xvda" not in file.read_text()
    await dom.destroy()


async def test_both_store_the_same_devices(
    xen: aioxen.Context,
    guest: Configure,
    xl: Callable[..., str],
    sim: object,
    nothing_left: None,
    tmp_path: Path,
) -> None:
    dom = await xen.domain_create(guest("b"))  # The domain stays paused.
    image = blank(tmp_path / "image")
    await asyncio.to_thread(xl, "block-attach", str(dom.domid), f"{image},raw,xvda,w")
    theirs = await stored(dom, xl, "disks")
    await dom.disk_destroy(aioxen.disk(image, "xvda"))
    assert await stored(dom, xl, "disks") == []
    disk = aioxen.disk(image, "xvda")
    disk.format = aioxen.DiskFormat.RAW
    await dom.disk_add(disk)
    assert await stored(dom, xl, "disks") == theirs
    await asyncio.to_thread(xl, "network-attach", str(dom.domid))
    await dom.nic_add(aioxen.DeviceNic(nictype=aioxen.NicType.VIF))
    first, second = await stored(dom, xl, "nics")
    assert first.pop("mac") != second.pop("mac")
    assert (first.pop("devid"), second.pop("devid")) == (0, 1)
    assert first == second
    await dom.destroy()


async def test_an_interface_is_stored_with_its_number(
    xen: aioxen.Context, guest: Configure, xl: Callable[..., str], sim: object, nothing_left: None
) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.nic_add(aioxen.DeviceNic())
    await dom.nic_add(aioxen.DeviceNic())
    assert [nic["devid"] for nic in await stored(dom, xl, "nics")] == [0, 1]
    await dom.nic_destroy(aioxen.DeviceNic(devid=0))
    assert [nic["devid"] for nic in await stored(dom, xl, "nics")] == [1]
    await dom.destroy()


async def test_an_addition_that_fails_leaves_the_stored_configuration(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], nothing_left: None, tmp_path: Path
) -> None:
    dom = await xen.domain_create(guest("b"))
    (file,) = Path("/var/lib/xen").glob(f"userdata-d.{dom.domid}.*.libxl-json")
    before = json.loads(file.read_text().rstrip("\0"))
    disk = aioxen.disk(blank(tmp_path / "image"), "xvda")
    operation = dom.disk_add(disk)
    operation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await operation
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o700)
    disk.script = str(script)
    with pytest.raises(aioxen.Error):
        await dom.disk_add(disk)
    assert json.loads(file.read_text().rstrip("\0")) == before
    await dom.destroy()


async def test_a_domain_without_a_file_gets_devices_and_a_name(
    xen: aioxen.Context, guest: Configure, sim: object, nothing_left: None, tmp_path: Path
) -> None:
    dom = await xen.domain_create(guest("b"))
    (file,) = Path("/var/lib/xen").glob(f"userdata-d.{dom.domid}.*.libxl-json")
    os.unlink(file)
    disk = aioxen.disk(blank(tmp_path / "image"), "xvda")
    await dom.disk_add(disk)
    await dom.rename("without-a-file")
    assert await dom.name() == "without-a-file"
    await dom.disk_destroy(disk)
    assert not file.exists()
    await dom.destroy()


async def test_a_new_name_is_stored(xen: aioxen.Context, guest: Configure, nothing_left: None) -> None:
    dom = await xen.domain_create(guest("b"))
    (file,) = Path("/var/lib/xen").glob(f"userdata-d.{dom.domid}.*.libxl-json")
    await dom.rename("another-name")
    assert json.loads(file.read_text().rstrip("\0"))["c_info"]["name"] == "another-name"
    await dom.destroy()


async def test_a_domain_without_a_stored_configuration(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.DomainNotFoundError):
        await xen.domain_configuration(4000)


async def test_a_configuration_becomes_a_file_of_xl(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    """The present configuration of a domain can be written as an xl file. A domain made from this file
    equals the first domain."""
    image = tmp_path / "xvda"
    image.write_bytes(bytes(1 << 20))
    dom = await xen.domain_create(guest("b", disks=[aioxen.disk(image, "xvda")]))
    text = aioxen.dumps(await dom.configuration())
    await dom.destroy()
    config = aioxen.loads(text)
    assert (config.c_info.uuid, config.b_info.cmdline) == (dom.uuid, "b")
    async with xen.domain_create(config) as again:
        assert aioxen.dumps(await again.configuration()) == text


def test_the_action_for_each_reason_is_the_one_that_the_configuration_names() -> None:
    Action, Reason = aioxen.ActionOnShutdown, aioxen.ShutdownReason
    named = {
        Reason.POWEROFF: Action.RESTART,
        Reason.REBOOT: Action.RESTART_RENAME,
        Reason.CRASH: Action.COREDUMP_RESTART,
        Reason.WATCHDOG: Action.COREDUMP_DESTROY,
        Reason.SOFT_RESET: Action.DESTROY,
    }
    config = aioxen.DomainConfig(
        on_poweroff=Action.RESTART,
        on_reboot=Action.RESTART_RENAME,
        on_crash=Action.COREDUMP_RESTART,
        on_watchdog=Action.COREDUMP_DESTROY,
        on_soft_reset=Action.DESTROY,
    )
    for reason in Reason:
        assert aioxen.shutdown_action(config, reason) is named.get(reason, Action.PRESERVE)


async def test_members_of_a_newer_release_are_kept(
    xen: aioxen.Context, guest: Configure, sim: object, nothing_left: None, tmp_path: Path
) -> None:
    """xl 4.20 stores members that 4.17 does not have. A device's unknown members stay in the file when
    another device is added, and when a device before it is removed."""
    disks = [aioxen.disk(blank(tmp_path / name), name) for name in ("xvda", "xvdb", "xvdc")]
    dom = await xen.domain_create(guest("b", disks=disks[:2]))
    (file,) = Path("/var/lib/xen").glob(f"userdata-d.{dom.domid}.*.libxl-json")
    stored = json.loads(file.read_text().rstrip("\0"))
    stored["new"] = {"a": [1, None]}
    stored["b_info"]["bootloader_restrict"] = "False"
    stored["b_info"]["type.pv"]["newer"] = 7
    stored["b_info"]["sched_params"] = {"newer": True}
    stored["disks"][1]["newer"] = "b"
    file.write_text(json.dumps(stored) + "\0")
    assert [disk.vdev for disk in (await dom.configuration()).disks] == ["xvda", "xvdb"]
    await dom.disk_add(disks[2])
    await dom.disk_destroy(disks[0])
    now = json.loads(file.read_text().rstrip("\0"))
    assert now["new"] == stored["new"]
    assert now["b_info"] == stored["b_info"]
    assert [(disk["vdev"], disk.get("newer")) for disk in now["disks"]] == [("xvdb", "b"), ("xvdc", None)]
    await dom.destroy()
