# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU process: its command line, its sockets and its end. QEMU never outlives this Python process."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .qmp import Qmp, QmpError

PR_SET_PDEATHSIG = 1

ACCEL = {"tcg": "tcg,thread=multi,tb-size=256", "kvm": "kvm"}
CPU = {
    "tcg": "max,-erms,-rdtscp",  # With rdtscp, a PVH Linux crashes.
    "kvm": "host",
}
# The processor for later releases of QEMU. With QEMU 10.0 (Debian 13) and "max", dom0 crashes at once.
LATER_QEMU, LATER_TCG = 8, "EPYC,-rdtscp,-smap,-smep,-monitor"
# Emulation needs smap=no and xsave=0. With smap, dom0 crashes at once. With xsave, dom0's programs crash
# while a Linux PV guest runs (docs/limits.md). The other options shorten the boot. bootscrub=0 also keeps the
# snapshot small.
XEN = "console=com1 com1=115200,8n1 smap=no xsave=0 smep=no spec-ctrl=no xpti=no cpufreq=none bootscrub=0"
LINUX = (
    "console=hvc0 quiet loglevel=3 panic=1 nokaslr mitigations=off rodata=off init_on_alloc=0 apparmor=0"
    " audit=0 cryptomgr.notests tsc=reliable random.trust_cpu=on"
)
SHARES = ("project", "cwd")  # The tags under which dom0 can mount two directories of the host.
# Xen runs with this IOMMU, which does not remap interrupts.
IOMMU = "intel-iommu,intremap=off,caching-mode=on"
CARD_MAC = "02:00:00:00:01:00"  # The address of the network card that guests can get.
STICK_SIZE = 8 << 20  # The size of the USB stick in bytes.
DISK_SIZE = 64 << 20  # The size of dom0's disk in bytes. A snapshot contains the size.


class MachineError(Exception):
    """The exception for a machine that could not be started, or that has ended by itself."""


@dataclass(frozen=True)
class Shape:
    """The options on which a snapshot depends. A snapshot also depends on files."""

    accel: str = "tcg"
    memory: int = 1024  # The memory of all domains together, in MiB.
    dom0_memory: int = 512  # The memory of dom0, in MiB.
    cpus: int = 1
    xen: str = ""  # The options that are added to Xen's command line.
    linux: str = ""  # The options that are added to the command line of dom0's kernel.
    # Whether the machine has an IOMMU, and a network card and a USB stick that guests can get.
    passthrough: bool = False


@dataclass(frozen=True)
class Outside:
    """The things outside the machine that dom0 can use. A snapshot does not depend on them."""

    shares: dict[str, Path] = field(default_factory=dict)  # The directories, by their tags.
    # A connected datagram socket. dom0's eth0 sends and receives one frame of Ethernet by one datagram.
    link: int | None = None
    disk: Path | None = None  # The file that dom0 sees as /dev/vda. Several machines may use it at once.


def qemu() -> str:
    program = shutil.which("qemu-system-x86_64")
    if program is None:
        raise MachineError("no qemu-system-x86_64: run tools/install-packages")
    return program


def processor(accel: str, version: str) -> str:
    """Returns QEMU's option for the processor. `version` is what `qemu-system-x86_64 --version` prints."""
    release = re.search(r"version (\d+)", version)
    later = accel == "tcg" and release is not None and int(release[1]) >= LATER_QEMU
    return LATER_TCG if later else CPU[accel]


def _processor(accel: str) -> str:
    return processor(accel, subprocess.run([qemu(), "--version"], capture_output=True, text=True).stdout)


def _quote(value: object) -> str:
    """Returns the value as text with doubled commas. A single comma would separate two options of QEMU."""
    return str(value).replace(",", ",,")


def _command_line(
    image: Path, shape: Shape, memory: str, outside: Outside, sockets: dict[str, int], link: int
) -> list[str]:
    xen = f"{XEN} dom0_mem={shape.dom0_memory}M,max:{shape.dom0_memory}M {shape.xen}"
    xen += " iommu=on,no-sharept" if shape.passthrough else ""
    # The file names are relative to the image's directory. QEMU and Xen end a name at a space, and the
    # directory's path may contain a space.
    linux = f"vmlinux {LINUX} {shape.linux}"
    linux += " passthrough" if shape.passthrough else ""
    command = [qemu(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    command += ["-accel", ACCEL[shape.accel], "-cpu", _processor(shape.accel), "-smp", str(shape.cpus)]
    machine = "q35" if shape.passthrough else "pc"
    command += ["-machine", f"{machine},memory-backend=ram", "-m", str(shape.memory)]
    command += ["-device", IOMMU] if shape.passthrough else []
    command += ["-object", f"memory-backend-file,id=ram,size={shape.memory}M,{memory}"]
    command += ["-kernel", "xen", "-append", xen]
    command += ["-initrd", f"{_quote(linux)},initramfs"]
    for name, fd in sockets.items():
        command += ["-chardev", f"socket,id={name},fd={fd}"]
    command += ["-serial", "chardev:console", "-mon", "chardev=qmp,mode=control"]
    command += ["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"]
    for tag in SHARES:
        where = f"path={_quote(outside.shares.get(tag, image))}"
        where += "" if tag in outside.shares else ",readonly=on"
        command += ["-fsdev", f"local,id={tag},{where},security_model=none,multidevs=remap"]
        command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    command += ["-netdev", f"dgram,id=link,local.type=fd,local.str={link}"]
    nic = "virtio-net-pci,romfile=,netdev"
    command += _passthrough(nic) if shape.passthrough else ["-device", f"{nic}=link"]
    command += ["-blockdev", f"{_disk(outside.disk)},node-name=disk"]
    return [*command, "-device", "virtio-blk-pci,drive=disk,share-rw=on"]


def _passthrough(nic: str) -> list[str]:
    """Returns the options for dom0's network interface and for the devices that guests can get. A hub
    connects the interface, the card and the link."""
    command = ["-netdev", "hubport,id=hub0,hubid=0,netdev=link"]
    for number, device in enumerate((nic, f"e1000e,addr=10,mac={CARD_MAC},romfile=,netdev"), start=1):
        command += ["-netdev", f"hubport,id=hub{number},hubid=0", "-device", f"{device}=hub{number}"]
    command += ["-device", "nec-usb-xhci,id=usb"]
    command += ["-blockdev", f"driver=null-co,size={STICK_SIZE},read-zeroes=on,node-name=stick"]
    return [*command, "-device", "usb-storage,bus=usb.0,port=1,drive=stick,serial=aioxen,removable=on"]


def _disk(path: Path | None) -> str:
    """Returns QEMU's option for a block device with the content of a file. Without a file, the device reads
    as zeros."""
    if path is None:
        return f"driver=null-co,size={DISK_SIZE},read-zeroes=on"
    if path.stat().st_size != DISK_SIZE:
        raise MachineError(f"{path}: a disk has {DISK_SIZE >> 20} MiB")
    return f"driver=raw,file.driver=file,file.filename={_quote(path)},file.locking=off"


class Machine:
    """A running QEMU. `agent` is a socket to dom0's agent. `console` is a socket from Xen's console."""

    def __init__(self, image: Path, shape: Shape, memory: Path, *, boot: bool, outside: Outside) -> None:
        """Starts QEMU. If `boot`, the machine boots, and its memory is the file `memory`. Otherwise QEMU maps
        a private copy of this file, and waits for `restore`."""
        ours, theirs = {}, {}
        for name in ("agent", "console", "qmp"):
            ours[name], theirs[name] = socket.socketpair()
        fds = {name: end.fileno() for name, end in theirs.items()}
        # Without a link, dom0's interface is connected to a socket that nobody reads.
        self._unlinked = socket.socketpair(type=socket.SOCK_DGRAM)
        link = self._unlinked[0].fileno() if outside.link is None else outside.link
        mapping = f"mem-path={_quote(memory)},share={'on' if boot else 'off'}"
        command = _command_line(image, shape, mapping, outside, fds, link)
        self.process = subprocess.Popen(
            command if boot else [*command, "-incoming", "defer"],
            cwd=image,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[*fds.values(), link],
            start_new_session=True,  # Ctrl-C must reach the command in dom0, and not QEMU.
            preexec_fn=_dying_with(os.getpid()),
        )
        for end in theirs.values():
            end.close()
        self.agent, self.console = ours["agent"], ours["console"]
        try:
            self._qmp = Qmp(ours["qmp"])
            # The file `memory` has the memory. So the saved state does not contain the memory.
            self._qmp.execute(
                "migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}]
            )
        except QmpError as error:
            raise MachineError(f"QEMU: {error} {self.last_words()}") from error

    def save(self, devices: Path) -> None:
        """Writes the machine's state without the memory to the file `devices`, and stops the machine."""
        self._migrate("migrate", f"exec:cat >'{devices}'")

    def restore(self, devices: Path) -> None:
        """Loads the state that `save` wrote, and continues."""
        self._migrate("migrate-incoming", f"exec:cat '{devices}'")

    def _migrate(self, command: str, uri: str) -> None:
        try:
            self._qmp.migrate(command, uri)
        except QmpError as error:
            raise MachineError(f"QEMU: {error} {self.last_words()}") from error

    def last_words(self) -> str:
        """Ends QEMU. Returns QEMU's output, for error messages."""
        self.end()
        assert self.process.stdout is not None
        words = self.process.stdout.read().decode(errors="replace").strip()
        return words or f"status {self.process.returncode}"

    def end(self) -> None:
        """Kills QEMU and waits for QEMU's end."""
        self.process.kill()
        self.process.wait()


def _dying_with(parent: int) -> Callable[[], None]:
    """Returns a function for the child to call. After the call, the kernel kills the child when its parent
    ends."""
    libc = ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
