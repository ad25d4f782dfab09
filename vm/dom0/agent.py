# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent in dom0. It reports that dom0 is ready, and then runs one command. The launcher makes the
snapshot between these two steps.

The agent never ends. The launcher kills the machine when the launcher has the exit status.
"""

import contextlib
import ctypes
import errno
import fcntl
import glob
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import tty
from typing import Any

from frames import Kind, Reader, pack

RNDADDENTROPY = 0x40085203
RNDRESEEDCRNG = 0x5207
CHUNK = 65536
IMAGE = "/run/image"  # A link to the image's directory, in which dom0's QEMU is.
# With cache=loose, dom0 caches file contents. This is safe, because no other program changes the tree while a
# command runs.
MOUNT_9P = "trans=virtio,version=9p2000.L,msize=512000,cache=loose"

libc = ctypes.CDLL(None, use_errno=True)


def open_port(name: str) -> int:
    """Opens the virtio port with this name, and returns the descriptor. A port can be opened only once.
    The command must not inherit the descriptor."""
    for directory in glob.glob("/sys/class/virtio-ports/*"):
        with open(f"{directory}/name", encoding="ascii") as file:
            if file.read().strip() == name:
                return os.open(f"/dev/{os.path.basename(directory)}", os.O_RDWR | os.O_CLOEXEC)
    raise FileNotFoundError(errno.ENOENT, f"no virtio port named {name}")


class Port:
    """The connection to the launcher."""

    def __init__(self, name: str) -> None:
        self.fd = open_port(name)
        self._reader = Reader()

    def send(self, kind: Kind, data: bytes = b"") -> None:
        view = memoryview(pack(kind, data))
        while view:
            view = view[os.write(self.fd, view) :]

    def receive(self) -> list[tuple[Kind, bytes]]:
        """Waits for data, and returns the frames in the data. While no launcher is connected, a read
        returns end of file."""
        data = os.read(self.fd, CHUNK)
        if not data:
            time.sleep(0.01)
        return list(self._reader.feed(data))


def read_terminal(fd: int) -> bytes:
    """Reads from a pipe or from the master side of a terminal. Returns b"" at the end. Raises OSError.

    A read fails with EIO if no process has the terminal open. Linux looks for data before it looks for the
    close, so the first failure can hide data. The second read returns this data.
    """
    for _ in range(2):
        try:
            return os.read(fd, CHUNK)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
    return b""


def set_clock_and_randomness(now: float, entropy: bytes) -> None:
    """Sets the clock and adds entropy. Without this call, all machines of a snapshot would have the same
    time and random numbers."""
    time.clock_settime(time.CLOCK_REALTIME, now)
    with open("/dev/urandom", "wb") as device:
        fcntl.ioctl(device, RNDADDENTROPY, struct.pack("ii", len(entropy) * 8, len(entropy)) + entropy)
        fcntl.ioctl(device, RNDRESEEDCRNG)


def mount(tag: str, path: str) -> None:
    os.makedirs(path, exist_ok=True)
    if libc.mount(tag.encode(), path.encode(), b"9p", 0, MOUNT_9P.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {path} from outside")


class Command:
    """One command with its three streams. A stream is a terminal if the caller's stream is a terminal.
    Otherwise the stream is a pipe."""

    def __init__(self, port: Port, run: dict[str, Any]) -> None:
        self._port = port
        self._streams: dict[int, Kind] = {}  # The agent's ends of the output streams.
        self._terminal: int | None = None
        self._stdin: int | None = None
        self._pending = bytearray()  # The standard input that is not yet written to the command.
        self._stdin_ends = False
        theirs: list[int] = []

        if run["terminals"]:
            self._terminal, slave = pty.openpty()
            theirs.append(slave)
            self.set_window(*run["window"])
            if "in" not in run["terminals"]:
                tty.setraw(slave)  # The terminal is raw, because the caller's terminal translates and echoes.
                attributes = termios.tcgetattr(slave)
                attributes[3] |= termios.ISIG
                termios.tcsetattr(slave, termios.TCSANOW, attributes)

        def output(name: str, kind: Kind) -> int:
            if name in run["terminals"]:
                assert self._terminal is not None
                self._streams.setdefault(self._terminal, kind)
                return theirs[0]
            ours, end = os.pipe()
            self._streams[ours] = kind
            theirs.append(end)
            return end

        if "in" in run["terminals"]:
            stdin, self._stdin = theirs[0], self._terminal
        elif run["stdin"]:
            stdin, self._stdin = os.pipe()
            theirs.append(stdin)
        else:
            stdin = os.open("/dev/null", os.O_RDONLY)
            theirs.append(stdin)
        stdout, stderr = output("out", Kind.OUT), output("err", Kind.ERR)
        if self._stdin is not None:
            os.set_blocking(self._stdin, False)

        def in_child() -> None:
            if self._terminal is not None:
                fcntl.ioctl(theirs[0], termios.TIOCSCTTY, 0)

        try:
            self._process = subprocess.Popen(
                run["argv"],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=run["cwd"],
                env=run["env"],
                start_new_session=True,
                preexec_fn=in_child,
            )
        finally:
            for fd in theirs:
                os.close(fd)

    def set_window(self, rows: int, columns: int) -> None:
        if self._terminal is not None:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self) -> int:
        """Forwards streams and signals until the command has ended and its output has been sent."""
        ended = os.pidfd_open(self._process.pid)
        status: int | None = None
        while status is None or self._streams:
            # Children of the command may keep its output open. So the output is read only until the command
            # ends.
            ready = dict(self._poll(ended if status is None else None).poll(None if status is None else 0))
            if status is not None and not ready.keys() & self._streams.keys():
                break
            if ready.get(ended) and status is None:
                status = self._process.wait()
            if ready.get(self._port.fd):
                for kind, data in self._port.receive():
                    self.obey(kind, data)
            for fd in self._streams.keys() & ready.keys():
                if ready[fd] & ~select.POLLOUT:
                    self._copy(fd)
            if self._stdin in ready and ready[self._stdin] & ~select.POLLIN:
                self._feed()
        os.close(ended)
        return status if status >= 0 else 128 - status

    def _poll(self, ended: int | None) -> select.poll:
        """Returns the descriptors and events to wait for."""
        events = dict.fromkeys((self._port.fd, *self._streams), select.POLLIN)
        if ended is not None:
            events[ended] = select.POLLIN
        if self._stdin is not None and (self._pending or self._stdin_ends):
            events[self._stdin] = events.get(self._stdin, 0) | select.POLLOUT
        poll = select.poll()
        for fd, wanted in events.items():
            poll.register(fd, wanted)
        return poll

    def _copy(self, fd: int) -> None:
        """Forwards output of the command to the launcher, and closes the descriptor `fd` at the end of the
        output."""
        try:
            data = read_terminal(fd)
        except BlockingIOError:
            return
        if data:
            self._port.send(self._streams[fd], data)
            return
        del self._streams[fd]
        if fd == self._stdin:
            self._stdin = None
        os.close(fd)

    def _feed(self) -> None:
        """Writes as much standard input to the command as the command accepts."""
        if self._stdin is None:
            return
        try:
            while self._pending:
                del self._pending[: os.write(self._stdin, self._pending)]
        except BlockingIOError:
            return
        except OSError:  # The command has closed its input.
            self._pending.clear()
            self._stdin_ends = True
        if self._stdin_ends and self._stdin not in self._streams:
            os.close(self._stdin)
            self._stdin = None
        self._stdin_ends = False

    def obey(self, kind: Kind, data: bytes) -> None:
        if kind is Kind.SIGNAL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, int(data))
        elif kind is Kind.WINDOW:
            rows, columns = map(int, data.split())
            self.set_window(rows, columns)
        elif kind is Kind.IN and self._stdin is not None:
            self._pending += data
            self._stdin_ends = self._stdin_ends or not data


def serve(port: Port) -> None:
    """Reports that dom0 is up. Then runs the command that the launcher sends."""
    port.send(Kind.READY)
    while not (frames := port.receive()):
        pass
    (kind, data), *later = frames
    assert kind is Kind.RUN
    run = json.loads(data)
    set_clock_and_randomness(run["time"], bytes.fromhex(run["entropy"]))
    for tag, path in run["mounts"]:
        mount(tag, path)
    if run["number"]:
        # The machines of a snapshot would otherwise have the same address.
        address = f"02:00:00:00:00:{run['number']:02x}"
        subprocess.run(["ip", "link", "set", "eth0", "address", address, "up"], check=True)
    if run["image"]:
        os.symlink(run["image"], IMAGE)
    try:
        command = Command(port, run)
    except OSError as error:
        found = error.errno != errno.ENOENT
        port.send(Kind.ERR, f"aioxen-vm: {error.filename or run['argv'][0]}: {error.strerror}\n".encode())
        status = 126 if found else 127
    else:
        for frame in later:
            command.obey(*frame)
        status = command.wait()
    os.chdir("/")
    os.sync()  # Writes to the project's tree must be complete before the machine is killed.
    port.send(Kind.EXIT, str(status).encode())


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.fork():  # Process 1 only reaps orphaned processes. The agent is a child of process 1.
        while True:
            os.wait()
    port = Port("agent")
    serve(port)
    while True:
        time.sleep(3600)


main()
