# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's xl works on domains of this library, and this library works on domains of xl. Both write the
same nodes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import aioxen
import pytest
from limits import scaled
from worldly import domids

Xl = Callable[..., str]

FILE = """
name = "together"
type = "{type}"
kernel = "{kernel}"
memory = 32
maxmem = 40
vcpus = 1
maxvcpus = 2
extra = "l console=echo"
on_crash = "preserve"
driver_domain = {driver}
"""

# The differences between the xenstore nodes that xl and this library write for a domain: nodes that only xl
# writes, nodes with other permissions, and nodes with other values. docs/libxl.md gives the reasons.
ONLY_XL_WRITES = re.compile(
    r"/libxl/N/(dm-version|device.*)|/local/domain/0/backend.*|/local/domain/N/memory/videoram|"
    r"/local/domain/N/console/backend(-id)?|/local/pool.*|/vm/UUID/image.*"
)
OTHER_PERMISSIONS = {"/vm/UUID", "/vm/UUID/start_time"}
OTHER_VALUES = {
    "/local/domain/N",
    "/local/domain/N/console/tty",
    "/vm/UUID/start_time",
    "/local/domain/N/store/ring-ref",
    "/local/domain/N/console/ring-ref",
}


@pytest.fixture(params=[("pv", 0), ("pvh", 0), ("pv", 1)], ids=["pv", "pvh", "pv-driver"])
def file(request: pytest.FixtureRequest, kernel: Path, tmp_path: Path) -> Path:
    path = tmp_path / "together.cfg"
    kind, driver = request.param
    path.write_text(FILE.format(type=kind, kernel=kernel, driver=driver))
    return path


def nodes(domid: int) -> dict[str, tuple[str, str]]:
    """Returns the value and the permissions of each node, with the domid and the UUID replaced."""
    text = subprocess.run(["xenstore-ls", "-fp"], capture_output=True, text=True, check=True).stdout
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(rf"(/domain|/libxl|/backend/console)/{domid}\b", r"\1/N", text)
    found = {}
    for line in text.splitlines():
        path, value, permissions = re.fullmatch(r'(\S+) = "(.*)"\s+\((.*)\)', line).groups()  # type: ignore[union-attr]
        value = "N" if path.endswith(("/domid", "/frontend-id")) else value
        found[path] = value, permissions.replace(str(domid), "N") if domid else permissions
    return {path: node for path, node in found.items() if not path.startswith("/tool")}


def stored(domid: int) -> dict[str, object]:
    (path,) = Path("/var/lib/xen").glob(f"userdata-d.{domid}.*.libxl-json")
    config: dict[str, object] = json.loads(path.read_bytes().rstrip(b"\0"))
    return config


def without_empty(value: object) -> object:
    """Returns the value without empty objects. xl writes empty objects, and this library leaves them out."""
    if not isinstance(value, dict):
        return value
    members = {name: without_empty(member) for name, member in value.items()}
    return {name: member for name, member in members.items() if member != {}}


async def test_the_nodes_and_the_file_are_those_of_xl(
    xen: aioxen.Context, xl: Xl, file: Path, nothing_left: None
) -> None:
    xl("create", "-q", "-p", str(file))
    domid = int(xl("domid", "together"))
    theirs, their_file = nodes(domid), stored(domid)
    xl("destroy", "together")
    dom = await xen.domain_create(aioxen.load(file))
    ours, our_file = nodes(dom.domid), stored(dom.domid)
    await dom.destroy()

    missing = {path for path in theirs.keys() - ours.keys() if not ONLY_XL_WRITES.fullmatch(path)}
    assert missing == set()
    assert ours.keys() - theirs.keys() == set()
    for path in ours:
        if path not in OTHER_VALUES:
            assert (path, ours[path][0]) == (path, theirs[path][0])
        if path not in OTHER_PERMISSIONS:
            assert (path, ours[path][1]) == (path, theirs[path][1])

    del their_file["c_info"]["run_hotplug_scripts"]  # type: ignore[attr-defined]  # set by xl itself
    del their_file["b_info"]["claim_mode"]  # type: ignore[attr-defined]
    their_file["c_info"]["uuid"] = our_file["c_info"]["uuid"]  # type: ignore[index]
    assert without_empty(our_file) == without_empty(their_file)


async def test_xl_works_on_our_domain(xen: aioxen.Context, xl: Xl, file: Path, nothing_left: None) -> None:
    dom = await xen.domain_create(aioxen.load(file))
    xl("unpause", "together")
    (listed,) = json.loads(xl("list", "-l", "together"))
    assert listed["config"]["b_info"]["cmdline"] == "l console=echo"
    assert re.search(r"together\s.*" + str(dom.uuid), xl("list", "-v"))
    assert re.search(r"together\s+\d+\s+0:00:\d\d", xl("uptime", "together"))
    assert int(xl("domid", "together")) == dom.domid
    xl("mem-set", "together", "30")
    xl("vcpu-set", "together", "2")
    xl("rename", "together", "other")
    xl("pause", "other")
    assert (await dom.info()).paused
    xl("unpause", "other")
    config = await dom.configuration()
    assert (config.c_info.name, config.b_info.target_memkb) == ("other", 30 << 10)
    assert config.b_info.avail_vcpus == {0, 1}
    (listed,) = json.loads(xl("list", "-l", "other"))
    for name in "max_memkb", "target_memkb":
        assert getattr(config.b_info, name) == listed["config"]["b_info"][name]
    xl("shutdown", "-w", "other")
    assert await dom.wait_shutdown() is aioxen.ShutdownReason.POWEROFF
    xl("destroy", "other")
    await dom.wait_gone()
    assert not list(Path("/var/lib/xen").glob(f"userdata-?.{dom.domid}.*"))


async def test_we_work_on_the_domain_of_xl(
    xen: aioxen.Context, xl: Xl, file: Path, nothing_left: None
) -> None:
    xl("create", "-q", "-p", str(file))
    dom = await xen.domain_find("together")
    config = await dom.configuration()
    assert config.b_info.cmdline == "l console=echo"
    assert config.on_crash is aioxen.ActionOnShutdown.PRESERVE
    async with dom.console() as console:
        await dom.unpause()
        await console.expect("tiny: l", timeout=20)
    await dom.rename("other")
    assert xl("domname", str(dom.domid)).strip() == "other"
    assert (await dom.configuration()).c_info.name == "other"
    # xl's background process also destroys the domain, maybe before shutdown() finds that the domain has
    # stopped.
    with contextlib.suppress(aioxen.DomainNotFoundError, aioxen.DomainDestroyedError):
        await dom.shutdown()
        await dom.destroy()
    async with asyncio.timeout(scaled(20)):
        while dom.domid in await domids() or list(Path("/var/lib/xen").glob(f"userdata-?.{dom.domid}.*")):
            await asyncio.sleep(0.05)


async def test_xl_saves_our_domain(
    xen: aioxen.Context, xl: Xl, kernel: Path, tmp_path: Path, sim: object
) -> None:
    """xl saves a domain of this library and destroys it. No node and no file is left."""
    config = aioxen.pvh("together", kernel, memory="24M", cmdline="l")
    dom = await xen.domain_create(config)
    await dom.unpause()
    xl("save", "together", str(tmp_path / "saved"))
    await dom.wait_gone()
    xl("restore", str(tmp_path / "saved"))
    restored = await xen.domain_find("together")
    again = await restored.configuration()
    assert (again.c_info.uuid, again.b_info.cmdline) == (dom.uuid, "l")
    await restored.destroy()
    assert not list(Path("/var/lib/xen").glob("userdata-?.[1-9]*"))
