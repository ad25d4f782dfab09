# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class ConsoleLog, which writes a console's output to a file of limited size and keeps older files.
Calls that can block run in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aioxen._loop_context import LoopContext

PENDING = 1 << 20
"""The greatest number of octets that wait to be written. Further output is dropped."""


class ConsoleLog:
    """Appends to a file. The methods below the comment "In a thread" run in a thread. All other methods
    run in the loop's thread."""

    def __init__(self, xen: LoopContext, path: str, max_bytes: int, keep: int) -> None:
        if max_bytes < 1 or keep < 0:
            raise ValueError(f"max_bytes {max_bytes} and keep {keep} name no log")
        self._xen, self._loop = xen, xen._running_loop()
        self._path, self._max, self._keep = path, max_bytes, keep
        self._pending = bytearray()
        self._lost = 0
        self._fd = -1
        self._size = 0
        self._error: OSError | None = None
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Opens the file. Raises OSError."""
        await self._loop.run_in_executor(None, self._open)

    def add(self, data: bytes) -> None:
        """Appends data. A thread writes the data later. The data is dropped after an error, or if PENDING
        is exceeded."""
        if self._error is not None:
            return
        if len(self._pending) + len(data) > PENDING:
            self._lost += len(data)
            return
        if self._lost:
            self._pending += b"\n[%d octets of output are left out]\n" % self._lost
            self._lost = 0
        self._pending += data
        if self._running is None:
            self._running = self._loop.create_task(self._write_pending())

    async def aclose(self) -> None:
        """Writes the waiting data and closes the file. Raises OSError, the first error of writing."""
        if self._running is not None:
            await self._xen._wait_uncancelled(self._running)
        fd, self._fd = self._fd, -1
        if fd >= 0:
            await self._loop.run_in_executor(None, os.close, fd)
        if self._error is not None:
            raise self._error

    async def _write_pending(self) -> None:
        try:
            while self._pending and self._error is None:
                data = bytes(self._pending)
                self._pending.clear()
                await self._loop.run_in_executor(None, self._write, data)
        except OSError as error:
            error.filename = error.filename or self._path
            self._error = error
            self._pending.clear()
        finally:
            self._running = None

    # In a thread

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        if not self._keep:
            os.ftruncate(self._fd, 0)
            self._size = 0
            return
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
        old = self._fd
        self._open()
        os.close(old)

    def _write(self, data: bytes) -> None:
        while data:
            if self._size >= self._max or (self._size and self._size + len(data) > self._max):
                self._rotate()
            written = os.write(self._fd, data[: self._max])
            self._size += written
            data = data[written:]
