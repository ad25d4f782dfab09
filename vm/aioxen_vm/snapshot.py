# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of a dom0 that waits for its command, made on first use.

A snapshot is a directory with QEMU's device state and the machine's memory as a file. A machine that starts from it maps
that file privately: nothing is read before it is used, and any number of machines can share it.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from . import machine
from .frames import Kind, Reader
from .machine import Console, Machine, MachineError, Shape

BOOT_SECONDS = 120
FILES = ("xen", "vmlinux", "initramfs")


def _say(text: str) -> None:
    print(f"aioxen-vm: {text}", file=sys.stderr, flush=True)


def _identity(path: Path) -> str:
    status = path.stat()
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def _name(image: Path, shape: Shape) -> str:
    """A name that changes with everything that the snapshot depends on."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise MachineError("no qemu-system-x86_64: run tools/install-packages")
    parts = [_identity(path) for path in (*(image / name for name in FILES), Path(qemu), Path(machine.__file__))]
    text = "\n".join([*parts, str(image), repr(astuple(shape))])
    return "snapshot-" + hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def _locked(image: Path, how: int) -> Iterator[None]:
    with (image / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield


def start(image: Path, shape: Shape, shares: dict[str, Path]) -> Machine:
    """A machine whose agent waits for its command; makes the snapshot if there is none."""
    for name in FILES:
        if not (image / name).exists():
            raise MachineError(f"{image / name} is missing: run `make vm`")
    directory = image / _name(image, shape)
    while True:
        with _locked(image, fcntl.LOCK_SH):  # while the files are being opened nobody may remove them
            if directory.exists():
                return _restore(image, shape, directory, shares)
        with _locked(image, fcntl.LOCK_EX):
            if not directory.exists():
                _make(image, shape, directory)


def _restore(image: Path, shape: Shape, directory: Path, shares: dict[str, Path]) -> Machine:
    started = Machine(image, shape, directory / "memory", create=False, shares=shares)
    try:
        started.migrate("migrate-incoming", f"exec:cat '{directory}/devices'")
    except BaseException:
        started.end()
        raise
    return started


def _make(image: Path, shape: Shape, directory: Path) -> None:
    begin = time.monotonic()
    _say("booting Xen to make a snapshot (first use)")
    partial = directory.with_name(directory.name + ".new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        booting = Machine(image, shape, partial / "memory", create=True, shares={})
        try:
            _wait_until_ready(booting)
            booting.migrate("migrate", f"exec:cat >'{partial}/devices'")
        finally:
            booting.end()
        for old in image.glob("snapshot-*"):  # of an image or a machine that has changed
            if old != partial:
                shutil.rmtree(old)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _say(f"snapshot made in {time.monotonic() - begin:.1f} s")


def _wait_until_ready(booting: Machine) -> None:
    """Waits for the agent's first word; Xen's console tells the reason if it does not come."""
    console, reader = Console(), Reader()
    deadline = time.monotonic() + BOOT_SECONDS
    for end in (booting.agent, booting.console):
        end.setblocking(False)
    while True:
        for kind, _ in reader.feed(_available(booting.agent)):
            if kind is Kind.READY:
                booting.agent.setblocking(True)
                return
        console.add(_available(booting.console))
        if booting.process.poll() is not None or time.monotonic() > deadline:
            raise MachineError(f"dom0 did not come up; QEMU: {booting.last_words()}\nthe console's last lines:\n{console.text()}")
        time.sleep(0.02)


def _available(end: "machine.socket.socket") -> bytes:
    try:
        return os.read(end.fileno(), 65536)
    except BlockingIOError:
        return b""
