# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library reads devices of each class back as configurations. The devices were added by xl in some
tests, and by this library in others."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import aioxen
import pytest
from aioxen import DeviceP9, DeviceVfb, DeviceVkb, DeviceVtpm, SdlInfo, VncInfo
from worldly import ROOT, Configure, write_node

Xl = Callable[..., str]
UUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")

FILE = """
name = "listed"
type = "pv"
kernel = "{kernel}"
memory = 24
extra = "b"
p9 = ["tag=a,path={folder},security_model=none", "tag=b,path=/tmp,security_model=none"]
vfb = ["vnc=1,vnclisten=127.0.0.3,vncpasswd=secret,vncdisplay=5,vncunused=0,sdl=0"]
vkb = ["backend-type=qemu,feature-disable-keyboard=1,feature-multi-touch=1,multi-touch-width=640"]
vtpm = ["backend=0,uuid={uuid}"]
"""


@pytest.fixture
def theirs(xl: Xl, tmp_path: Path) -> str:
    path = tmp_path / "listed.cfg"
    path.write_text(FILE.format(kernel=ROOT / "build/guest/tiny", folder=tmp_path, uuid=UUID))
    return str(path)


def ours(guest: Configure, folder: Path) -> aioxen.DomainConfig:
    config = guest("b", name="listed")
    config.p9s = [DeviceP9(tag="a", path=str(folder)), DeviceP9(tag="b", path="/tmp")]
    vnc = VncInfo(listen="127.0.0.3", passwd="secret", display=5, findunused=False)
    config.vfbs = [DeviceVfb(vnc=vnc, sdl=SdlInfo(enable=False))]
    config.vkbs = [
        DeviceVkb(),
        DeviceVkb(feature_disable_keyboard=True, feature_multi_touch=True, multi_touch_width=640),
    ]
    config.vtpms = [DeviceVtpm(uuid=UUID)]
    return config


@pytest.mark.parametrize("toolstack", ["xl", "aioxen"])
async def test_all_classes_are_read_back(
    xen: aioxen.Context, xl: Xl, theirs: str, guest: Configure, tmp_path: Path, toolstack: str
) -> None:
    if toolstack == "xl":
        await asyncio.to_thread(xl, "create", "-pq", theirs)
        dom = await xen.domain_find("listed")
    else:
        dom = await xen.domain_create(ours(guest, tmp_path))
    shares = sorted(await dom.p9_list(), key=lambda share: share.devid)
    assert [(share.devid, share.tag, share.path, share.security_model) for share in shares] == [
        (0, "a", str(tmp_path), "none"),
        (1, "b", "/tmp", "none"),
    ]
    (vfb,) = await dom.vfb_list()
    vnc = vfb.vnc
    assert (vnc.enable, vnc.listen, vnc.passwd, vnc.display, vnc.findunused) == (
        True,
        "127.0.0.3",
        "secret",
        5,
        False,
    )
    assert (vfb.devid, vfb.sdl.enable, vfb.sdl.opengl) == (0, False, False)
    vkbs = sorted(await dom.vkb_list(), key=lambda vkb: vkb.feature_disable_keyboard)
    assert [vkb.backend_type for vkb in vkbs] == [aioxen.VkbBackend.QEMU] * len(vkbs)
    vkb = vkbs[-1]
    assert (vkb.feature_disable_keyboard, vkb.feature_disable_pointer, vkb.feature_multi_touch) == (1, 0, 1)
    assert (vkb.multi_touch_width, vkb.multi_touch_height) == (640, 0)
    (vtpm,) = await dom.vtpm_list()
    assert (vtpm.devid, vtpm.uuid, vtpm.backend_domid) == (0, UUID, 0)
    await dom.destroy()
    with pytest.raises(aioxen.DomainNotFoundError):
        await dom.p9_list()


async def test_what_a_guest_writes_into_the_tag_is_text(xen: aioxen.Context, guest: Configure) -> None:
    config = guest("b")
    config.p9s = [DeviceP9(tag="share", path="/tmp")]
    dom = await xen.domain_create(config)
    write_node(f"/local/domain/{dom.domid}/device/9pfs/0/tag", "\udcff\n" + "x" * 1900)
    (share,) = await dom.p9_list()
    assert share.tag == "\udcff\n" + "x" * 1900
    await dom.destroy()
