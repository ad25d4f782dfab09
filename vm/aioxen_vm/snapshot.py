# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of a dom0 that waits for its command. A snapshot is made when it is needed for the first time.

A snapshot is a directory with QEMU's device state and the machine's memory as a file. A machine that starts
from a snapshot maps this file privately. A page is read at its first use, and any number of machines can
share the file.
"""

import fcntl
import hashlib
import os
import selectors
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from . import machine
from .console import Console
from .frames import Kind, Reader
from .machine import Machine, MachineError, Outside, Shape

BOOT_SECONDS = 180
CHUNK = 65536
FILES = ("xen", "vmlinux", "initramfs")


def _say(text: str) -> None:
    print(f"aioxen-vm: {text}", file=sys.stderr, flush=True)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _directory(image: Path, shape: Shape) -> Path:
    """Returns the snapshot's directory. The directory's name depends on all files and options on which the
    snapshot depends."""

    def identity(path: Path) -> tuple[Path, int, int]:
        status = path.stat()
        return path, status.st_size, status.st_mtime_ns

    files = [*(image / name for name in FILES), Path(machine.qemu()), Path(machine.__file__)]
    return image / f"snapshot-{_digest(*map(identity, files))}-{_digest(astuple(shape))}"


@contextmanager
def _locked(image: Path, how: int) -> Iterator[None]:
    with (image / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield


def start(image: Path, shape: Shape, outside: Outside) -> Machine:
    """Starts a machine whose agent waits for its command. Makes the snapshot if it does not exist."""
    for name in FILES:
        if not (image / name).exists():
            raise MachineError(f"{image / name} is missing: run `make vm`")
    directory = _directory(image, shape)
    while True:
        # No other process may remove the snapshot while its files are opened.
        with _locked(image, fcntl.LOCK_SH):
            if directory.exists():
                return _restore(image, shape, directory, outside)
        with _locked(image, fcntl.LOCK_EX):
            if not directory.exists():
                _make(image, shape, directory)


def _restore(image: Path, shape: Shape, directory: Path, outside: Outside) -> Machine:
    started = Machine(image, shape, directory / "memory", boot=False, outside=outside)
    try:
        started.restore(directory / "devices")
    except BaseException:
        started.end()
        raise
    return started


def _make(image: Path, shape: Shape, directory: Path) -> None:
    begin = time.monotonic()
    _say("booting Xen to make a snapshot (first use)")
    of_this_image = directory.name.rsplit("-", 1)[0]
    # The loop removes snapshots of older images, and incomplete snapshots.
    for old in image.glob("snapshot-*"):
        if not old.name.startswith(of_this_image) or old.suffix:
            shutil.rmtree(old)
    partial = directory.with_suffix(".new")
    partial.mkdir()
    try:
        booting = Machine(image, shape, partial / "memory", boot=True, outside=Outside())
        try:
            _wait_until_ready(booting)
            booting.save(partial / "devices")
        finally:
            booting.end()
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _say(f"snapshot made in {time.monotonic() - begin:.1f} s")


def _wait_until_ready(booting: Machine) -> None:
    """Waits until the agent is ready. If the agent does not start, raises MachineError with the last lines
    of the console."""
    console, reader = Console(), Reader()
    deadline = time.monotonic() + BOOT_SECONDS
    with selectors.DefaultSelector() as selector:
        for source in (booting.agent, booting.console):
            selector.register(source, selectors.EVENT_READ)
        while ready := selector.select(deadline - time.monotonic()):
            for key, _ in ready:
                data = os.read(key.fd, CHUNK)
                if not data:  # QEMU has ended.
                    deadline = time.monotonic()
                    selector.unregister(key.fileobj)
                elif key.fileobj is booting.console:
                    console.add(data)
                elif any(kind is Kind.READY for kind, _ in reader.feed(data)):
                    return
    words = booting.last_words()
    raise MachineError(f"dom0 did not come up; QEMU: {words}; Xen's console said:\n{console.text()}")
