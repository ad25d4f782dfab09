# SPDX-License-Identifier: LGPL-2.1-or-later
"""A receiver says what the configuration of a received domain may name. A configuration that
names anything else is refused with the path of the member, and no domain is made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aioxen
import pytest
from migrating import NAME, traveller
from saving import saved_domain
from test_migrate import RECEIVE, Far
from test_migrate import far as far
from test_restore import with_configuration
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")

DISK = {"pdev_path": "/srv/disks/web.img", "vdev": "xvda", "format": "raw", "backend": "phy", "readwrite": 0}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, kernel: Path) -> bytes:
    return saved_domain(kernel, tmp_path_factory.mktemp("saved") / "file")


@pytest.fixture
def allowed(kernel: Path) -> aioxen.ReceivedAllowed:
    return aioxen.ReceivedAllowed(
        disks=["/srv/disks/*.img", "/dev/vg/*"],
        bridges=["br7"],
        scripts=["/etc/xen/scripts/block-*"],
        kernels=[f"{kernel.parent}/*"],
    )


def config_of(data: bytes) -> Any:
    """Returns the configuration in the file."""
    found: list[str] = []
    with_configuration(data, lambda text: found.append(text) or text)  # type: ignore[func-returns-value]
    return json.loads(found[0])


def changed(saved: bytes, path: str, value: object) -> bytes:
    """Returns the saved domain with another value of one member of the configuration."""
    config = config_of(saved)
    *groups, last = path.split("/")
    place = config
    for group in groups:
        place = place.setdefault(group, {})
    place[last] = value
    return with_configuration(saved, lambda _: json.dumps(config))


async def refusal(
    xen: aioxen.Context, data: bytes, path: Path, allowed: aioxen.ReceivedAllowed
) -> str | None:
    """Restores a saved domain. Returns the error if it is refused because of `allowed`, otherwise None."""
    path.write_bytes(data)
    try:
        await (await xen.restore(path, allowed=allowed)).destroy()
    except aioxen.Error as error:
        assert [info.domid for info in await xen.domain_list()] == [0]
        return str(error) if "not allowed here" in str(error) else None
    return None


async def test_a_domain_of_xl_that_names_what_is_allowed_is_restored(
    xen: aioxen.Context, kernel: Path, tmp_path: Path, allowed: aioxen.ReceivedAllowed, xl: Callable[..., str]
) -> None:
    """xl stores the defaults of all members, too."""
    file = tmp_path / "cfg"
    file.write_text(f'name="fromxl"\ntype="pvh"\nkernel="{kernel}"\nmemory=20\ncmdline="l"\n')
    await asyncio.to_thread(xl, "create", str(file))
    await asyncio.to_thread(xl, "save", "fromxl", str(tmp_path / "saved"))
    await (await xen.restore(tmp_path / "saved", allowed=allowed)).destroy()


REFUSED: list[tuple[str, Any]] = [
    ("disks", [DISK | {"pdev_path": "/dev/vg/web", "script": "block-iscsi"}]),
    ("disks", [DISK | {"pdev_path": "/srv/disks/.hidden.img"}]),
    ("disks", [DISK, DISK | {"pdev_path": "/srv/disks/sub/web.img"}]),
    ("disks", [DISK | {"pdev_path": "/dev/vg/.."}]),
    ("disks", [DISK | {"pdev_path": "/etc/shadow"}]),
    ("nics", [{}]),
    ("nics", [{"bridge": "br70"}]),
    ("nics", [{"bridge": "br7", "script": "/tmp/evil"}]),
    ("nics", [{"bridge": "br7", "ip": "$(evil)"}]),
    ("nics", [{"bridge": "br7", "ifname": "-x"}]),
    ("disks", [DISK | {"backend_domid": 5}]),
    ("nics", [{"bridge": "br7", "backend_domname": "evil"}]),
    ("vkbs", [{"backend_domid": 5}]),
    ("pcidevs", [{"domain": 0, "bus": 1, "dev": 0, "func": 0}]),
    ("p9s", [{"tag": "x", "path": "/", "security_model": "none"}]),
    ("channels", [{"name": "x", "connection.socket": {"path": "/run/x"}}]),
    ("b_info/kernel", "/etc/shadow"),
    ("b_info/ramdisk", "/etc/shadow"),
    ("b_info/bootloader", "pygrub"),
    ("b_info/bootloader_args", ["-x"]),
    ("b_info/device_model", "/tmp/evil"),
    ("b_info/extra", ["-monitor", "stdio"]),
    ("b_info/ioports", [{"first": 1, "number": 1}]),
    ("c_info/driver_domain", "True"),
    ("c_info/ssidref", 1),
]

ALLOWED: list[tuple[str, Any]] = [
    ("disks", [DISK]),
    ("disks", [DISK | {"script": "/etc/xen/scripts/block-drbd"}]),
    ("nics", [{"bridge": "br7", "script": "vif-bridge"}]),
    ("c_info/driver_domain", "False"),
    ("b_info/cmdline", "any text / is allowed"),
    ("c_info/pool_name", "Pool-0"),
]


async def test_each_member_is_checked(
    xen: aioxen.Context, saved: bytes, tmp_path: Path, allowed: aioxen.ReceivedAllowed
) -> None:
    for path, value in REFUSED:
        message = await refusal(xen, changed(saved, path, value), tmp_path / "file", allowed)
        assert message and path.replace("/", ".") in message, (path, value, message)


async def test_members_that_are_allowed_are_not_refused(
    xen: aioxen.Context, saved: bytes, tmp_path: Path, allowed: aioxen.ReceivedAllowed
) -> None:
    for path, value in ALLOWED:
        message = await refusal(xen, changed(saved, path, value), tmp_path / "file", allowed)
        assert message is None, (path, value, message)


async def test_nothing_is_allowed_by_empty_patterns(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    nothing = aioxen.ReceivedAllowed()
    file = tmp_path / "file"
    assert "kernel: this value is not allowed here" in str(await refusal(xen, saved, file, nothing))
    kernel = config_of(saved)["b_info"]["kernel"]
    without = aioxen.ReceivedAllowed(kernels=[kernel])
    bridge = await refusal(xen, changed(saved, "nics", [{}]), file, without)
    assert "nics[0].bridge: the default xenbr0 is not allowed here" in str(bridge)
    assert await refusal(xen, saved, file, without) is None


async def test_a_restricted_receiver_refuses_a_guest_which_then_runs_on(
    xen: aioxen.Context, guest: Configure, far: Far, kernel: Path
) -> None:
    dom = await traveller(xen, guest)
    await far("spawn", *RECEIVE, "--restrict")
    with pytest.raises(aioxen.InvalidError, match=r"the receiver: .*kernel: this value is not allowed here"):
        await dom.migrate(far.path, ask=True)
    assert await far("ended") != "status 0" and await far("states") == {}
    assert not (await dom.info()).shutdown
    await far("spawn", *RECEIVE, "--allow-kernel", f"{kernel.parent}/*")
    await dom.migrate(far.path)
    assert await far("ended") == "status 0" and await far("states") == {NAME: "runs"}
    assert await far("end", NAME)
