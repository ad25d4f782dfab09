# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real Xen, the Linux guest has working disks, networks and shares.

Debian's xl makes the guest. So the tests concern the virtual machine alone.
"""

from collections.abc import Iterator

import pytest
from launching import Dom0

TYPES = pytest.mark.parametrize("kind", ["pv", "pvh"])


@pytest.fixture(scope="module")
def prepared(dom0: Dom0) -> Dom0:
    dom0("make-bridge && cp build/guest/linux-kernel build/guest/linux-initramfs /tmp")
    dom0("for n in a b; do truncate -s 16M /tmp/$n && mkfs.ext4 -q /tmp/$n || exit; done")
    return dom0


@pytest.fixture(autouse=True)
def no_guest_left(dom0: Dom0) -> Iterator[None]:
    yield
    dom0("xl destroy guest", check=False)
    assert len(dom0("xl list").splitlines()) == 2
    assert dom0("losetup -a; ls /sys/class/net | grep vif; pidof xen-qemu-system-i386", check=False) == ""


def create(dom0: Dom0, kind: str, words: str, *settings: str) -> str:
    """Creates the guest. Returns the output of the guest's console until the shell is ready."""
    settings = (
        'name="guest"',
        f'type="{kind}"',
        'kernel="/tmp/linux-kernel"',
        'ramdisk="/tmp/linux-initramfs"',
        f'extra="console=hvc0 quiet loglevel=3 {words}"',
        "memory=128",
        *settings,
    )
    dom0("xl create -q /dev/null " + " ".join(f"'{setting}'" for setting in settings))
    dom0("rm -f /tmp/console; timeout 60 xl console guest >/tmp/console &")
    dom0("for n in $(seq 600); do grep -q 'linux: ready' /tmp/console && break; sleep 0.1; done")
    return dom0("cat /tmp/console")


@TYPES
def test_disk_and_network_work_and_a_disk_is_plugged(prepared: Dom0, kind: str) -> None:
    console = create(
        prepared,
        kind,
        "disk=xvda address=eth0=10.0.0.2/24",
        'disk=["/tmp/a,raw,xvda,rw"]',
        'vif=["bridge=xenbr0"]',
    )
    assert "disk xvda: ok" in console
    assert " 0% packet loss" in prepared("ping -c 1 10.0.0.2")
    prepared("xl block-attach guest file:/tmp/b xvdb w")
    prepared("printf 'check-disk xvdb\\n' >$(xenstore-read /local/domain/$(xl domid guest)/console/tty)")
    prepared("for n in $(seq 100); do grep -q 'disk xvdb' /tmp/console && break; sleep 0.1; done")
    assert "disk xvdb: ok" in prepared("cat /tmp/console")
    prepared("xl block-detach guest xvdb")
    assert "reason code 0" in prepared("xl shutdown -w guest")
    prepared("while xl domid guest; do sleep 0.1; done")


def test_qemu_serves_a_qcow2_disk_and_a_share(prepared: Dom0) -> None:
    prepared(
        "qemu-img convert -O qcow2 /tmp/a /tmp/a.qcow2 && mkdir -p /tmp/share && echo 42 >/tmp/share/question"
    )
    console = create(
        prepared,
        "pv",
        "disk=xvda share=tag1",
        'disk=["/tmp/a.qcow2,qcow2,xvda,rw"]',
        'p9=["tag=tag1,security_model=none,path=/tmp/share"]',
    )
    assert "disk xvda: ok" in console
    assert "share tag1: ok" in console
    assert prepared("cat /tmp/share/answer") == "answer: 42\n"
