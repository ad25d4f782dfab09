# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulator plays QEMU. Debian's xl starts QEMU for disks in QEMU's formats, shares and screens. xl
also ends QEMU."""

from pathlib import Path

import pytest
from sim_support import World, WriteConfig

STATES = (
    "xenstore-ls -f /local/domain/0/backend/{0}/1 | sed -n 's|.*/state = \"\\(.\\)\"|\\1|p'; "
    "xenstore-ls -f /local/domain/1/device/{1} | sed -n 's|.*/state = \"\\(.\\)\"|\\1|p'"
)
KINDS = {"qdisk": "vbd", "9pfs": "9pfs", "vfb": "vfb", "vkbd": "vkbd"}
LEFT = (
    "xenstore-ls -f / | grep -E 'qdisk|vbd|9pfs|vfb|vkbd|device-model/' || true; "
    "ls /run/xen | grep qmp || true; pgrep -fl '[x]en-qemu' || true"
)


@pytest.fixture
def guest(config: WriteConfig, tmp_path: Path) -> Path:
    """Writes the configuration of a guest with one device of each kind."""
    image = tmp_path / "image.qcow2"
    image.write_bytes(bytes(1 << 16))
    path = config("pv", name="one")
    devices = (
        f'disk=["{image},qcow2,xvda,w"]\n'
        'vfb=["vnc=1,vnclisten=127.0.0.1,vncdisplay=3"]\n'
        f'p9=["tag=share,path={tmp_path},security_model=none"]\n'
        f'channel=["name=org.first,connection=socket,path={tmp_path}/channel","name=org.second,connection=pty"]\n'
    )
    path.write_text(path.read_text() + devices)
    return path


def test_all_kinds_connect_and_leave_nothing(world: World, guest: Path) -> None:
    show = "; ".join(STATES.format(back, front) for back, front in KINDS.items())
    script = f"""
        states() {{ {show}; }}; xl create -q {guest} 2>/dev/null; i=0
        until [ "$(states | tr -d '\\n')" = 44444444 ] || [ $i = 300 ]; do sleep 0.01; i=$((i+1)); done
        states | tr '\\n' ' '; echo; xenstore-read /local/domain/1/device/console/1/tty
        xl destroy one >/dev/null 2>&1; {LEFT}"""
    states, tty, *left = world(script).stdout.splitlines()
    assert states.split() == ["4"] * 8
    assert tty.startswith("/dev/pts/")
    assert left == []


def test_hot_plug(world: World, guest: Path, tmp_path: Path) -> None:
    (tmp_path / "more").write_bytes(bytes(1 << 16))
    script = f"""
        xl create -q {guest} 2>/dev/null; xl block-attach one format=qcow2,vdev=xvdb,target={tmp_path}/more
        i=0; until [ "$(xenstore-read /local/domain/1/device/vbd/51728/state)" = 4 ] || [ $i = 300 ]; do
            sleep 0.01; i=$((i+1)); done
        xl block-list one; xl block-detach one xvdb; xl block-list one"""
    out = world(script).stdout
    assert "/qdisk/1/51728" in out
    assert out.count("/qdisk/1/51712") == 2
    assert out.count("/qdisk/1/51728") == 1


def test_a_missing_image_keeps_the_device_waiting(world: World, guest: Path) -> None:
    back, front = "/local/domain/0/backend/qdisk/1/51728", "/local/domain/1/device/vbd/51728"
    log = "/var/log/xen/qemu-dm-one.log"
    script = f"""
        xl create -q {guest} 2>/dev/null; xenstore-write {front}/state 1
        xenstore-write {back}/params qcow2:/no/such {back}/online 1 {back}/frontend {front} {back}/state 1
        i=0; until grep -q such {log} || [ $i = 300 ]; do sleep 0.01; i=$((i+1)); done
        cat {log}; xenstore-read {back}/state"""
    words = "qemu: xen be: qdisk-51728: Could not open '/no/such': No such file or directory"
    assert world(script).stdout.splitlines() == [words, "1"]


@pytest.mark.parametrize(
    ("behaviour", "words"), [("error", "could not initialise"), ("error=no-kvm", "no-kvm")]
)
def test_it_can_fail(world: World, guest: Path, behaviour: str, words: str) -> None:
    script = f"""
        aioxen-sim-ctl qemu all {behaviour}
        xl create -q {guest} || cat /var/log/xen/qemu-dm-one.log; {LEFT}"""
    assert world(script).stdout == f"qemu: {words}\n"


def test_it_can_print_a_lot(world: World, guest: Path) -> None:
    script = f"aioxen-sim-ctl qemu all nonsense; xl create -q {guest}; wc -c </var/log/xen/qemu-dm-one.log"
    assert int(world(script).stdout) > 300_000


def test_it_can_be_mute_and_dies_by_a_signal(world: World, guest: Path) -> None:
    script = f"""
        aioxen-sim-ctl qemu all mute; xl create -q {guest} & i=0
        until pgrep -f '[x]en-qemu' >/dev/null || [ $i = 300 ]; do sleep 0.01; i=$((i+1)); done; sleep 0.1
        xenstore-exists /local/domain/0/device-model/1/state || echo mute
        kill -HUP $(pgrep -f '[x]en-qemu'); wait $! || echo failed; {LEFT}"""
    assert world(script).stdout.split() == ["mute", "failed"]
