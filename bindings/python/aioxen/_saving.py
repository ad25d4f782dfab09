# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns Domain.save() and Context.restore(): the files, descriptors and streams that a domain is saved to
and restored from. The operations domain_save and domain_restore do the work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from aioxen._coroutine import wait_uncancelled
from aioxen.types import Suspend

if TYPE_CHECKING:
    from aioxen._operations import ContextOperations
    from aioxen._spec import Progress
    from aioxen.context import Context
    from aioxen.domain import Domain
    from aioxen.types import DomainConfig, OperationProgress

Afterwards: TypeAlias = Literal["destroy", "resume", "keep"]
"""What Domain.save() does with the suspended domain."""

_CHUNK = 1 << 16


class _File:
    """A file that appears under its name only when it is complete."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        folder, name = os.path.split(self._path)
        self.fd, self._part = tempfile.mkstemp(prefix=f".{name}.", dir=folder or ".")

    def finish(self) -> None:
        """Gives the file its name. It then survives a crash of the host."""
        os.fsync(self.fd)
        os.replace(self._part, self._path)
        os.close(self.fd)
        self.fd = -1

    def discard(self) -> None:
        """Removes the file, unless it is finished."""
        if self.fd >= 0:
            os.close(self.fd)
            os.unlink(self._part)


async def save(
    domain: Domain,
    xen: ContextOperations,
    target: str | os.PathLike[str] | int | asyncio.StreamWriter,
    live: bool,
    afterwards: Afterwards,
    timeout: float | None,  # noqa: ASYNC109
    progress: Progress[OperationProgress] | None,
) -> None:
    """Does the work of Domain.save()."""
    if afterwards not in ("destroy", "resume", "keep"):
        raise ValueError(f'afterwards: "destroy", "resume" or "keep" is expected, not {afterwards!r}')
    flags = Suspend.LIVE if live else Suspend(0)
    saved = False
    try:
        async with _writable(target) as fd:
            await xen.domain_save_stream(domain, fd, flags, timeout=timeout, progress=progress)
            saved = True
    except BaseException:
        # The file is not complete, so the guest must go on.
        if saved:
            await wait_uncancelled(xen.domain_resume(domain))
        raise
    if afterwards == "destroy":
        await xen.domain_destroy(domain)
    elif afterwards == "resume":
        await xen.domain_resume(domain)


async def restore(
    xen: Context,
    source: str | os.PathLike[str] | int | asyncio.StreamReader,
    config: DomainConfig | None,
    timeout: float | None,  # noqa: ASYNC109
) -> Domain:
    """Does the work of Context.restore()."""
    async with _readable(source) as fd:
        return await xen.domain_restore(fd, config, timeout=timeout)


@contextlib.asynccontextmanager
async def _writable(target: str | os.PathLike[str] | int | asyncio.StreamWriter) -> AsyncIterator[int]:
    """Gives a descriptor whose octets go to `target`. They are all there at the end of the block."""
    if isinstance(target, asyncio.StreamWriter):
        async with _pipe_to(target) as fd:
            yield fd
    elif isinstance(target, int):
        yield target
    else:
        file = await asyncio.to_thread(_File, target)
        try:
            yield file.fd
            await asyncio.to_thread(file.finish)
        finally:
            file.discard()


@contextlib.asynccontextmanager
async def _pipe_to(writer: asyncio.StreamWriter) -> AsyncIterator[int]:
    reader_fd, writer_fd = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reader_fd, "rb", 0)
    )
    copying = asyncio.create_task(_copy(reader, writer, transport))
    try:
        yield writer_fd
        os.close(writer_fd)
        writer_fd = -1
        await copying
    finally:
        if writer_fd >= 0:
            os.close(writer_fd)
        copying.cancel()
        transport.close()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transport: asyncio.BaseTransport
) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        transport.close()  # The program that saves then gets EPIPE, and the operation fails.


@contextlib.asynccontextmanager
async def _readable(source: str | os.PathLike[str] | int | asyncio.StreamReader) -> AsyncIterator[int]:
    """Gives a descriptor that has the octets of `source`."""
    if isinstance(source, asyncio.StreamReader):
        async with _pipe_from(source) as fd:
            yield fd
    elif isinstance(source, int):
        yield source
    else:
        fd = await asyncio.to_thread(os.open, source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)


@contextlib.asynccontextmanager
async def _pipe_from(reader: asyncio.StreamReader) -> AsyncIterator[int]:
    reader_fd, writer_fd = os.pipe()
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(writer_fd, "wb", 0)
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    copying = asyncio.create_task(_copy(reader, writer, transport))
    try:
        yield reader_fd
    finally:
        copying.cancel()
        transport.close()
        os.close(reader_fd)
