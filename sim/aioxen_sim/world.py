# SPDX-License-Identifier: LGPL-2.1-or-later
"""A world: a simulated machine, the daemons of a dom0 and one command, in their own namespaces."""

import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aioxen_sim import namespaces, pci, usb
from aioxen_sim.programs import Tools, WorldError

STATE = Path("/run/aioxen-sim")
# A link to the library. The library's own path may contain a space, which LD_PRELOAD does not allow.
PRELOADED = STATE / "libaioxen-sim.so"
START_LIMIT_S = 10.0
GRACE_S = 5.0
FAILED = 125  # the exit status if the world cannot be made
Mask = set[int]
_FORWARDED: Mask = {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP}
_FATAL: Mask = {signal.SIGTERM, signal.SIGHUP}
_SENT_BY_TERMINAL = 0x80  # the si_code (SI_KERNEL) of a signal that the terminal sends


@dataclass(frozen=True)
class World:
    """The options of a world, and the command to run in it."""

    tools: Tools
    command: Sequence[str]
    memory_mb: int
    missing: Sequence[str] = ()
    """The capabilities that the hypervisor does not have."""
    bridges: Sequence[str] = ()
    """The names of the bridges in domain 0."""
    hypervisor: bool = True
    xenstored: bool = True
    trace: Path | None = None
    faults: Sequence[str] = field(default_factory=tuple)

    def run(self) -> int:
        """Makes the world, runs the command in it, and ends the world.

        Returns the command's exit status (128 + n: killed by signal n). The calling process must have only
        one thread. Afterwards this process is in other namespaces than before. Raises WorldError.
        """
        try:
            namespaces.leave_the_machine()
        except OSError as error:
            raise WorldError(
                f"no private world is possible here: {error.filename}: {error.strerror}"
            ) from error
        mask: Mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD}))
        alive, parent_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(parent_end)
            namespaces.die_with_parent()
            if not os.read(alive, 1):
                os._exit(1)
            status = FAILED
            try:
                status = self._live(mask)
            except WorldError as error:
                print(f"aioxen-sim: {error}", file=sys.stderr)
            except OSError as error:
                print(f"aioxen-sim: {error.filename or 'world'}: {error.strerror}", file=sys.stderr)
            except Exception:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.write(parent_end, b"x")
        return _wait(child, grace_s=None)

    def _live(self, mask: Mask) -> int:
        """Runs in the first process of the namespace. When this process ends, the kernel kills all others."""
        namespaces.keep_mounts_private()
        namespaces.mount_proc()
        namespaces.mount_empty(Path("/run"))
        (STATE / "log").mkdir(parents=True)
        Path("/run/lock").mkdir()
        PRELOADED.symlink_to(self.tools.library)
        for folder in "etc", "usr/libexec", "var/lib", "var/log":
            namespaces.mount_extensible(Path("/", folder), STATE / "outside" / folder)
        _play_sysfs()
        for folder in "/run/xen", "/run/xenstored", "/var/lib/xen", "/var/lib/xenstored", "/var/log/xen":
            _free(Path(folder)).mkdir()
        (STATE / "bin").symlink_to(self.tools.dom0 / "usr/bin")
        (STATE / "ctl").symlink_to(self.tools.ctl)
        # If dom0's programs are installed, this directory is the machine's own /etc/xen. resolve() finds its
        # original place, because the next line replaces /etc/xen.
        settings = (self.tools.dom0 / "etc/xen").resolve()
        _mix(_free(Path("/etc/xen")), settings, replace="scripts")
        _mix(Path("/etc/xen/scripts"), settings / "scripts", self.tools.scripts)
        _free(Path("/usr/libexec/xen-qemu-system-i386")).symlink_to(self.tools.sim / "aioxen-sim-qemu")
        _offer_programs(self.tools.dom0)
        if self.hypervisor:
            self._start_dom0(mask)
        env = self._environment()
        if self.faults:
            env["AIOXEN_SIM_FAULTS"] = ",".join(self.faults)
        try:
            command = _start(self.command, env, mask)
        except FileNotFoundError:
            print(f"aioxen-sim: {self.command[0]}: command not found", file=sys.stderr)
            return 127
        except PermissionError:
            print(f"aioxen-sim: {self.command[0]}: permission denied", file=sys.stderr)
            return 126
        return _wait(command.pid, grace_s=GRACE_S)

    def _environment(self) -> dict[str, str]:
        env = dict(os.environ)
        env["LD_PRELOAD"] = ":".join(filter(None, [env.get("LD_PRELOAD", ""), str(PRELOADED)]))
        env["PATH"] = ":".join([*map(str, self.tools.path), env.get("PATH", "/usr/sbin:/usr/bin")])
        env.pop("AIOXEN_SIM_FAULTS", None)
        env.pop("AIOXEN_SIM_DIR", None)
        for name in [name for name in env if name.startswith("XENSTORED_")]:
            del env[name]
        for helper in (folder / "libxl-save-helper" for folder in self.tools.path):
            if helper.exists():
                env["LIBXL_SAVE_HELPER"] = str(helper)
        if self.hypervisor:
            env["AIOXEN_SIM_DIR"] = str(STATE)
            env["AIOXEN_SIM_KERNEL"] = str(self.tools.kernel)
        if self.trace:
            env["AIOXEN_SIM_TRACE"] = str(self.trace)
        return env

    def _start_dom0(self, mask: Mask) -> None:
        env = self._environment()
        env["LD_PRELOAD"] = str(PRELOADED)  # libraries that the user preloads are for the command only
        plain = {name: value for name, value in env.items() if name != "LD_PRELOAD"}
        command = [str(self.tools.guests), str(STATE), str(self.memory_mb), *self.missing]
        command += [f"bridge:{name}" for name in self.bridges]
        guests = Daemon(command, plain, mask)
        guests.wait_until(lambda: guests.log.read_text().startswith("ready"))
        if not self.xenstored:
            return
        xenstored = Daemon(["xenstored", "-N", "-I"], env, mask)
        xenstored.wait_until(lambda: _answers(Path("/run/xenstored/socket")))
        init = subprocess.run(["xen-init-dom0"], env=env, check=False, capture_output=True, text=True)
        if init.returncode:
            raise WorldError(f"xen-init-dom0 failed: {init.stderr.strip()}")
        Daemon(["xenconsoled", "-i", "--log=none"], env, mask)
        Daemon([str(self.tools.devices), str(STATE)], plain, mask)


class Daemon:
    """A program of dom0 that runs in the background. It gets no signals from the terminal."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], mask: Mask) -> None:
        name = Path(command[0]).name
        self.name = name
        self.log = STATE / "log" / name
        with self.log.open("wb") as log:
            self.process = _start(
                command, env, mask, new_session=True, stdin=subprocess.DEVNULL, output=log.fileno()
            )
        (STATE / f"{name}.pid").write_text(str(self.process.pid))

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Polls until `ready` is true. Raises WorldError if the daemon ends first, or after START_LIMIT_S."""
        end = time.monotonic() + START_LIMIT_S
        while not ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise WorldError(
                    f"{self.name} did not start: {self.log.read_text().strip() or 'it printed nothing'}"
                )
            time.sleep(0.001)


def _mix(folder: Path, *sources: Path, replace: str = "") -> None:
    """Makes a directory with links to all entries of `sources` except `replace`.

    If several sources have an entry of the same name, the link leads to the last one.
    """
    folder.mkdir()
    for source in sources:
        for entry in source.iterdir():
            if entry.name != replace:
                _free(folder / entry.name).symlink_to(entry)


def _offer_programs(dom0: Path) -> None:
    """Makes the firmware of HVM domains and xenconsole available where Debian's libxl looks for them."""
    folder = Path("/usr/lib/xen-4.17")
    if dom0 == Path("/"):  # dom0's programs are installed
        return
    if folder.is_dir():
        namespaces.mount_extensible(folder, STATE / "outside/xen")
    else:
        namespaces.mount_extensible(Path("/usr/lib"), STATE / "outside/usr/lib")
        folder.mkdir()
    _free(folder / "boot").symlink_to(dom0 / "usr/lib/xen-4.17/boot")
    if not (folder / "bin").exists():
        (folder / "bin").mkdir()
        (folder / "bin/xenconsole").symlink_to(dom0 / "usr/lib/xen-4.17/bin/xenconsole")


def _play_sysfs() -> None:
    """Makes parts of /sys writable, so that aioxen-sim-devices can make directories of backend drivers."""
    network = Path("/sys/class/net")
    if not network.is_dir():  # some containers have no sysfs
        return
    interfaces = {entry.name: entry.resolve() for entry in network.iterdir() if entry.is_dir()}
    namespaces.mount_empty(network)
    for name, target in interfaces.items():
        (network / name).symlink_to(target)
    namespaces.mount_extensible(Path("/sys/bus"), STATE / "outside/sys/bus")
    played = STATE / "sys/bus/xen-backend"  # libaioxen-sim.so uses this path
    (played / "devices").mkdir(parents=True)
    _free(Path("/sys/bus/xen-backend")).symlink_to(played)
    pci.play()
    usb.play()


def _free(path: Path) -> Path:
    """Removes the file or link `path`, if it exists. Returns `path`."""
    path.unlink(missing_ok=True)
    return path


def _start(
    command: Sequence[str],
    env: Mapping[str, str],
    mask: Mask,
    *,
    new_session: bool = False,
    stdin: int | None = None,
    output: int | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a program, which is searched in the PATH of `env`. `mask` is the program's signal mask."""

    def restore() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return subprocess.Popen(
        command,
        env=env,
        stdin=stdin,
        stdout=output,
        stderr=output,
        preexec_fn=restore,  # preexec_fn is safe: this process has one thread
        start_new_session=new_session,
    )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def _wait(child: int, grace_s: float | None) -> int:
    """Waits for `child`. Meanwhile forwards signals to it, and reaps all other children.

    Returns its exit status, as a shell gives it. After SIGTERM or SIGHUP it has `grace_s` seconds to end.
    """
    end: float | None = None
    while True:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
                return code if code >= 0 else 128 - code
        left = 3600.0 if end is None else end - time.monotonic()
        if left <= 0:
            return 128 + signal.SIGKILL
        got = signal.sigtimedwait(_FORWARDED | {signal.SIGCHLD}, left)
        if got is None or got.si_signo == signal.SIGCHLD or got.si_code == _SENT_BY_TERMINAL:
            continue
        os.kill(child, got.si_signo)
        if grace_s is not None and got.si_signo in _FATAL:
            end = time.monotonic() + grace_s
