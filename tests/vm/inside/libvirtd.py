# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirtd.py LIBVIRT DROPIN LIBRARIES: Debian's libvirtd, on this library, keeps a Linux guest.

The arguments are folders. LIBVIRT has the unpacked libvirt. DROPIN has libxenlight.so.4.17. LIBRARIES has the
libraries that libvirt needs and dom0 lacks. virsh starts a PVH guest from XML, plugs a disk and an interface,
suspends and resumes the guest, saves and restores it, and ends it. The guest uses both devices before and
after it is saved. `virsh event` sees each change of state.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from linux import LIMIT, Console, image, left, ping, prepare, run

LIBVIRT, DROPIN, LIBRARIES = map(Path, sys.argv[1:])
SEEN = Path("/tmp/events")
LOG = Path("/tmp/libvirtd.log")
GUEST = """
<domain type='xen'>
  <name>v</name>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='xenpvh'>xenpvh</type>
    <kernel>/tmp/linux-kernel</kernel>
    <initrd>/tmp/linux-initramfs</initrd>
    <cmdline>console=hvc0 quiet loglevel=3</cmdline>
  </os>
  <devices><console type='pty'/></devices>
</domain>
"""
DISK = """
<disk type='file' device='disk'>
  <driver name='phy' type='raw'/>
  <source file='/tmp/file'/>
  <target dev='xvda' bus='xen'/>
</disk>
"""
NIC = """
<interface type='bridge'>
  <mac address='00:16:3e:00:00:07'/>
  <source bridge='xenbr0'/>
  <script path='vif-bridge'/>
</interface>
"""
EVENTS = """\
Started Booted
Suspended Paused
Resumed Unpaused
Stopped Saved
Started Restored
Stopped Shutdown
""".splitlines()


def settings() -> tuple[dict[str, str], dict[str, str]]:
    """Returns the environments of the daemon and of virsh."""
    libraries = [LIBVIRT / "usr/lib/x86_64-linux-gnu", LIBVIRT / "lib/x86_64-linux-gnu", LIBRARIES]
    modules = libraries[0] / "libvirt"
    client = os.environ | {
        "LC_ALL": "C",
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PATH": f"{LIBVIRT}/usr/bin:{os.environ['PATH']}",
        "VIRSH_DEFAULT_CONNECT_URI": "xen:///system",
    }
    daemon = client | {
        "LD_LIBRARY_PATH": ":".join(map(str, [DROPIN, *libraries])),
        "LIBVIRT_DRIVER_DIR": str(modules / "connection-driver"),
        "LIBVIRT_LOCK_MANAGER_PLUGIN_DIR": str(modules / "lock-driver"),
    }
    return daemon, client


def virsh(*words: str) -> str:
    begin = time.monotonic()
    done = subprocess.run(["virsh", "-q", *words], text=True, capture_output=True)
    print(f"virsh {' '.join(words)}: {time.monotonic() - begin:.1f} s", flush=True)
    assert done.returncode == 0, f"{words}: {done.stderr}\n{LOG.read_text()}"
    return done.stdout


def wait_for_libvirtd(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT
    while subprocess.run(["virsh", "version"], capture_output=True).returncode:
        assert process.poll() is None and time.monotonic() < deadline, LOG.read_text()
        time.sleep(0.2)
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert f"{DROPIN}/libxenlight.so.4.17" in mapped


async def uses_its_devices(console: Console, word: str) -> None:
    await console.command(
        f"mount /dev/xvda /mnt; echo {word} >/mnt/word && umount /mnt && mount /dev/xvda /mnt"
    )
    assert word in await console.command("cat /mnt/word")
    await ping("10.0.0.2")


async def life() -> None:
    for name, text in ("guest", GUEST), ("disk", DISK), ("nic", NIC):
        Path(f"/tmp/{name}.xml").write_text(text)
    image("file")
    virsh("create", "/tmp/guest.xml")
    console = Console("v")
    await console.expect("linux: ready")
    virsh("attach-device", "v", "/tmp/disk.xml")
    virsh("attach-device", "v", "/tmp/nic.xml")
    assert "xvda" in virsh("domblklist", "v") and "00:16:3e:00:00:07" in virsh("domiflist", "v")
    await console.command("until [ -e /dev/xvda ] && [ -e /sys/class/net/eth0 ]; do usleep 100000; done")
    await console.command("ip link set eth0 up && ip address add 10.0.0.2/24 dev eth0")
    await uses_its_devices(console, "before")
    virsh("suspend", "v")
    assert "paused" in virsh("domstate", "v")
    virsh("resume", "v")
    await console.command("echo counted >/tmp/kept")
    virsh("save", "v", "/tmp/saved")
    console.close()
    assert virsh("list", "--name").split() == ["Domain-0"]
    virsh("restore", "/tmp/saved")
    console = Console("v")
    assert "counted" in await console.command("cat /tmp/kept")
    await uses_its_devices(console, "after")
    await console.command("umount /mnt")
    virsh("detach-device", "v", "/tmp/disk.xml")
    virsh("detach-device", "v", "/tmp/nic.xml")
    assert "xvda" not in virsh("domblklist", "v") and "00:16" not in virsh("domiflist", "v")
    virsh("shutdown", "v")
    while "v" in virsh("list", "--name").split():
        await asyncio.sleep(0.5)
    console.close()


def seen() -> list[str]:
    return re.findall(r"event 'lifecycle' for domain 'v': (.*)", SEEN.read_text())


async def main() -> None:
    daemon_settings, client_settings = settings()
    os.environ.update(client_settings)
    prepare()
    # QEMU emulates no processor with the feature vme, which all of libvirt's models have (docs/limits.md).
    run(f"mkdir -p /usr/share && cp -r {LIBVIRT}/usr/share/libvirt /usr/share/")
    run("sed -i \"/'vme'/d\" /usr/share/libvirt/cpu_map/x86_486.xml")
    before = left()
    with LOG.open("wb") as log, SEEN.open("wb") as events:
        daemon = subprocess.Popen(
            [LIBVIRT / "usr/sbin/libvirtd"], env=daemon_settings, stdout=log, stderr=log
        )
        wait_for_libvirtd(daemon)
        watcher = subprocess.Popen(["virsh", "-q", "event", "--all", "--loop"], stdout=events)
        try:
            await asyncio.wait_for(life(), 4 * LIMIT)
            deadline = time.monotonic() + LIMIT
            while len(seen()) < len(EVENTS) and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
        finally:
            print(SEEN.read_text(), flush=True)
            watcher.terminate()
            daemon.terminate()
            daemon.wait()
    assert seen() == EVENTS
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
