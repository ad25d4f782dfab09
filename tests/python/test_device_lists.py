# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library returns the existing devices of each class as configurations. The devices were added by xl in
some tests, and by this library in others."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import aioxen
import pytest
from aioxen import (
    ConnectorParam,
    DeviceP9,
    DevicePvcallsif,
    DeviceVdispl,
    DeviceVfb,
    DeviceVkb,
    DeviceVsnd,
    DeviceVtpm,
    SdlInfo,
    VncInfo,
    VsndParams,
    VsndPcm,
    VsndPcmFormat,
    VsndStream,
    VsndStreamType,
)
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
vdispl = ["backend=0, be-alloc=1, connectors=id0:1920x1080;id1:800x600"]
vsnd = [["CARD, short-name=Main, sample-rates=8000;44100, sample-formats=s16_le;f32_le, buffer-size=65536",
         "PCM, name=one, channels-min=1", "STREAM, unique-id=a, type=p", "STREAM, unique-id=b, type=c",
         "PCM, name=two", "STREAM, unique-id=c, channels-max=2"]]
pvcalls = ["backend=0"]
"""

DISPLAY = DeviceVdispl(
    devid=0, be_alloc=True, connectors=[ConnectorParam("id0", 1920, 1080), ConnectorParam("id1", 800, 600)]
)
SOUND = DeviceVsnd(
    devid=0,
    short_name="Main",
    params=VsndParams(
        sample_rates=[8000, 44100],
        sample_formats=[VsndPcmFormat.S16_LE, VsndPcmFormat.F32_LE],
        buffer_size=65536,
    ),
    pcms=[
        VsndPcm(
            name="one",
            params=VsndParams(channels_min=1),
            streams=[
                VsndStream(unique_id="a", type=VsndStreamType.P),
                VsndStream(unique_id="b", type=VsndStreamType.C),
            ],
        ),
        VsndPcm(name="two", streams=[VsndStream(unique_id="c", params=VsndParams(channels_max=2))]),
    ],
)


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
    config.vdispls, config.vsnds, config.pvcallsifs = [DISPLAY], [SOUND], [DevicePvcallsif()]
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
    assert await dom.vdispl_list() == [DISPLAY]
    assert await dom.vsnd_list() == [SOUND]
    assert await dom.pvcallsif_list() == [DevicePvcallsif(devid=0)]
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


async def test_hostile_connectors_and_streams_are_bounded(xen: aioxen.Context, guest: Configure) -> None:
    config = guest("b")
    config.vdispls, config.vsnds = [DISPLAY], [SOUND]
    dom = await xen.domain_create(config)
    at = f"/local/domain/{dom.domid}/device"
    for number in range(2, 100):
        write_node(f"{at}/vdispl/0/{number}/resolution", "99999999999x-5")
    write_node(f"{at}/vdispl/0/0/resolution", "wide")
    write_node(f"{at}/vsnd/0/sample-rates", "," * 500 + "7" + ",9" * 900)
    write_node(f"{at}/vsnd/0/sample-formats", "s8,nonsense,u8" + ",s8" * 900)
    write_node(f"{at}/vsnd/0/buffer-size", "-1")
    write_node(f"{at}/vsnd/0/0/0/type", "\udcff")
    (display,) = await dom.vdispl_list()
    assert len(display.connectors) == 64
    assert display.connectors[0] == ConnectorParam("id0", 0, 0)
    assert display.connectors[1] == ConnectorParam("id1", 800, 600)
    (sound,) = await dom.vsnd_list()
    assert sound.params.sample_rates == []
    assert len(sound.params.sample_formats) == 63
    assert sound.params.buffer_size == 0
    assert sound.pcms[0].streams[0].type == VsndStreamType.NONE
    await dom.destroy()


async def test_too_many_connectors_and_streams_are_refused(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("b"))
    for device, words in (
        (DeviceVdispl(connectors=[ConnectorParam("a")] * 65), r"connectors: 65 are more than 64"),
        (DeviceVdispl(connectors=[ConnectorParam()]), r"connectors\[0\].unique_id: missing"),
    ):
        with pytest.raises(aioxen.InvalidError, match=words):
            await dom.vdispl_add(device)
    rates = VsndParams(sample_rates=[1] * 65)
    for sound, words in (
        (DeviceVsnd(pcms=[VsndPcm()] * 65), "pcms: 65 are more than 64"),
        (DeviceVsnd(pcms=[VsndPcm(streams=[VsndStream()] * 65)]), "streams: 65 are more than 64"),
        (DeviceVsnd(params=rates), "more than 64 sample rates"),
        (DeviceVsnd(pcms=[VsndPcm(streams=[VsndStream(params=rates)])]), "more than 64 sample rates"),
    ):
        with pytest.raises(aioxen.InvalidError, match=words):
            await dom.vsnd_add(sound)
    await dom.destroy()
