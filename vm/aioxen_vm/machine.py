# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU process: its command line, the sockets to it, and its end, which is never later than our own."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

PR_SET_PDEATHSIG = 1
CONSOLE_LINES = 40

# smap=no: dom0 dies at once under emulation with it. The rest saves boot time.
XEN = "console=com1 com1=115200,8n1 smap=no smep=no spec-ctrl=no xpti=no cpufreq=none bootscrub=0"
LINUX = (
    "console=hvc0 quiet loglevel=3 panic=1 nokaslr mitigations=off rodata=off init_on_alloc=0 apparmor=0 audit=0 "
    "cryptomgr.notests tsc=reliable random.trust_cpu=on"
)
CPU = {
    "tcg": "max,-erms,-rdtscp",  # with rdtscp a PVH Linux crashes
    "kvm": "host",
}
ACCEL = {"tcg": "tcg,thread=multi,tb-size=256", "kvm": "kvm"}


class MachineError(Exception):
    """The machine could not be started, or ended by itself."""


@dataclass(frozen=True)
class Shape:
    """What a snapshot depends on, beside the files that it is made of."""

    accel: str = "tcg"
    memory: int = 1024  # MiB, for all domains
    dom0_memory: int = 512  # MiB
    cpus: int = 1
    xen: str = ""  # more for Xen's command line
    linux: str = ""  # more for dom0's


@dataclass
class Console:
    """What Xen and dom0's kernel said: the last lines are kept, all of it goes to a file if there is one."""

    file: BinaryIO | None = None
    tail: deque[bytes] = field(default_factory=lambda: deque([b""], maxlen=CONSOLE_LINES))

    def add(self, data: bytes) -> None:
        if self.file is not None:
            self.file.write(data)
            self.file.flush()
        first, *rest = data.replace(b"\r", b"").split(b"\n")
        self.tail[-1] += first
        self.tail.extend(rest)

    def text(self) -> str:
        return "\n".join(line.decode(errors="replace") for line in self.tail).strip()


def _quote(value: str) -> str:
    """QEMU's option lists separate by comma; a comma itself is doubled."""
    return value.replace(",", ",,")


class Machine:
    """A running QEMU. `agent` and `console` are sockets to dom0's agent and from Xen's console."""

    def __init__(self, image: Path, shape: Shape, memory_file: Path, *, create: bool, shares: dict[str, Path]) -> None:
        """Starts it: booting with its memory in `memory_file` (create), or waiting for `restore`, which leaves the file as is."""
        program = shutil.which("qemu-system-x86_64")
        if program is None:
            raise MachineError("no qemu-system-x86_64: run tools/install-packages")
        self.agent, agent = socket.socketpair()
        self.console, console = socket.socketpair()
        self._qmp, qmp = socket.socketpair()
        self._qmp_file = self._qmp.makefile("rb")
        xen = f"{XEN} dom0_mem={shape.dom0_memory}M,max:{shape.dom0_memory}M {shape.xen}"
        command = [program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        command += ["-accel", ACCEL[shape.accel], "-cpu", CPU[shape.accel], "-smp", str(shape.cpus)]
        command += ["-machine", "pc,memory-backend=ram", "-m", str(shape.memory)]
        command += ["-object", f"memory-backend-file,id=ram,size={shape.memory}M,mem-path={_quote(str(memory_file))},"
                    f"share={'on' if create else 'off'}"]
        command += ["-kernel", str(image / "xen"), "-append", xen]
        command += ["-initrd", f"{_quote(f'{image}/vmlinux {LINUX} {shape.linux}')},{_quote(f'{image}/initramfs')}"]
        command += ["-chardev", f"socket,id=console,fd={console.fileno()}", "-serial", "chardev:console"]
        command += ["-chardev", f"socket,id=qmp,fd={qmp.fileno()}", "-mon", "chardev=qmp,mode=control"]
        command += ["-device", "virtio-serial-pci"]
        command += ["-chardev", f"socket,id=agent,fd={agent.fileno()}", "-device", "virtserialport,chardev=agent,name=agent"]
        for tag in SHARES:
            path = shares.get(tag, image)
            readonly = "" if tag in shares else ",readonly=on"
            command += ["-fsdev", f"local,id={tag},path={_quote(str(path))},security_model=none,multidevs=remap{readonly}"]
            command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        if not create:
            command += ["-incoming", "defer"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[agent.fileno(), console.fileno(), qmp.fileno()],
            start_new_session=True,  # Ctrl-C is for the command, not for QEMU
            preexec_fn=_die_with_parent(os.getpid()),
        )
        for end in (agent, console, qmp):
            end.close()
        self._receive()  # the greeting
        self.execute("qmp_capabilities")
        self.execute(
            "migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}]
        )

    def _receive(self) -> dict[str, Any]:
        line = self._qmp_file.readline()
        if not line:
            raise MachineError(f"QEMU ended: {self.last_words()}")
        message: dict[str, Any] = json.loads(line)
        return message

    def execute(self, command: str, **arguments: Any) -> Any:
        """One command of QEMU's machine protocol; events that arrive meanwhile are of no interest."""
        self._qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            message = self._receive()
            if "error" in message:
                raise MachineError(f"QEMU: {command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def migrate(self, command: str, uri: str) -> None:
        """Saves (`migrate`) or restores (`migrate-incoming`) all but memory, and waits for it."""
        self.execute(command, uri=uri)
        while (status := self.execute("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled"):
                raise MachineError(f"QEMU: {command} {status}")

    def last_words(self) -> str:
        """What QEMU itself printed, for error messages; ends it."""
        self.end()
        assert self.process.stdout is not None
        return self.process.stdout.read().decode(errors="replace").strip() or f"status {self.process.returncode}"

    def end(self) -> None:
        """Ends the machine at once: nothing in it is to be kept."""
        self.process.kill()
        self.process.wait()


SHARES = ("project", "cwd")  # the directories of this machine that dom0 can mount, by tag


def _die_with_parent(parent: int) -> Any:
    libc = ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
