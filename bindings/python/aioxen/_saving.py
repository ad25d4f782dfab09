# SPDX-License-Identifier: LGPL-2.1-or-later
"""The methods Domain.save() and Context.restore(), which open the files, descriptors and streams that a
domain is saved to and restored from. The operations domain_save and domain_restore do the work."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

from aioxen._coroutine import wait_uncancelled
from aioxen.errors import DomainNotFoundError, Error, NotReadyError
from aioxen.types import SavePolicy, Suspend

if TYPE_CHECKING:
    from aioxen._operations import ContextOperations
    from aioxen._spec import Progress
    from aioxen.context import Context
    from aioxen.domain import Domain
    from aioxen.types import DomainConfig, OperationProgress, ReceivedAllowed

Afterwards: TypeAlias = Literal["destroy", "resume", "keep"]
"""What Domain.save() does with the suspended domain."""

_CHUNK = 1 << 16


class _File:
    """A file that appears under its name only when it is complete."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.realpath(path)
        self.fd = -1

    def open(self) -> None:
        """Makes the file under a temporary name."""
        folder, name = os.path.split(self.path)
        self.fd, self._part = tempfile.mkstemp(prefix=f".{name}.", dir=folder)

    def sync(self) -> None:
        """Writes the file to the disk."""
        os.fsync(self.fd)

    def finish(self) -> None:
        """Gives the file its name, and writes the name to the disk. If this fails, no file is left."""
        os.replace(self._part, self.path)
        self._part = self.path
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        os.close(self.fd)
        self.fd = -1

    def discard(self) -> None:
        """Removes the file, unless finish() has given it its name."""
        if self.fd >= 0:
            os.close(self.fd)
            os.unlink(self._part)


class _Target:
    """The target of a save."""

    fd = -1
    complete = False
    """Whether the file of the saved domain has its name. From then on the save cannot be cancelled."""

    def __init__(self, name: str) -> None:
        self.name = name


def compressed(policy: SavePolicy | None, compression: int) -> SavePolicy | None:
    """Returns the policy with this level of compression. If the level is 0, returns the policy unchanged."""
    if not compression:
        return policy
    policy = SavePolicy() if policy is None else copy.copy(policy)
    policy.compression = compression
    return policy


async def save(
    domain: Domain,
    xen: ContextOperations,
    target: str | os.PathLike[str] | int | asyncio.StreamWriter,
    live: bool,
    policy: SavePolicy | None,
    compression: int,
    afterwards: Afterwards,
    timeout: float | None,  # noqa: ASYNC109
    progress: Progress[OperationProgress] | None,
) -> None:
    """Does the work of Domain.save()."""
    if afterwards not in ("destroy", "resume", "keep"):
        raise ValueError(f'afterwards: "destroy", "resume" or "keep" is expected, not {afterwards!r}')
    flags = Suspend.LIVE if live else Suspend(0)
    policy = compressed(policy, compression)
    saving: asyncio.Future[None] | None = None
    cancelled: asyncio.CancelledError | None = None
    written = _Target(repr(os.fspath(target)) if isinstance(target, str | os.PathLike) else "the stream")
    try:
        async with _writable(target, written):
            saving = xen.domain_save_stream(
                domain, written.fd, flags, policy, timeout=timeout, progress=progress
            )
            await saving
    except BaseException as error:
        if written.complete and isinstance(error, asyncio.CancelledError):
            cancelled = error
        else:
            # The file is not complete, so the guest must run again. The save itself may have succeeded, also
            # if it was cancelled.
            if saving and (saving.cancelled() or not saving.exception()):
                with contextlib.suppress(NotReadyError, DomainNotFoundError):
                    await wait_uncancelled(xen.domain_resume(domain))
            raise
    await _end(domain, xen, afterwards, written.name)
    if cancelled:
        raise cancelled


async def _end(domain: Domain, xen: ContextOperations, afterwards: Afterwards, name: str) -> None:
    """Destroys, resumes or keeps the saved domain, as `afterwards` says. A cancellation does not stop this,
    because it would leave a suspended domain."""
    try:
        if afterwards == "destroy":
            ending = xen.domain_destroy(domain)
        elif afterwards == "resume":
            ending = xen.domain_resume(domain)
        else:
            ending = xen.domain_keep_suspended(domain)
        await wait_uncancelled(asyncio.ensure_future(ending))
    except Error as error:
        words = (
            f"domain {domain.domid} is saved in {name}, and does not run; "
            f'afterwards="{afterwards}" has failed: {error.message}'
        )
        raise type(error)(words, error.operation, error.domid) from error


async def restore(
    xen: Context,
    source: str | os.PathLike[str] | int | asyncio.StreamReader,
    config: DomainConfig | None,
    allowed: ReceivedAllowed | None,
    timeout: float | None,  # noqa: ASYNC109
) -> Domain:
    """Does the work of Context.restore()."""
    async with _readable(source) as fd:
        return await xen.domain_restore(fd, config, allowed, timeout=timeout)


@contextlib.asynccontextmanager
async def _writable(
    target: str | os.PathLike[str] | int | asyncio.StreamWriter, written: _Target
) -> AsyncIterator[None]:
    """Sets written.fd to a descriptor whose octets go to `target`. When the block has ended, all octets have
    reached `target`."""
    if isinstance(target, asyncio.StreamWriter):
        async with _pipe_to(target) as written.fd:
            yield
    elif isinstance(target, int):
        written.fd = target
        yield
    elif _is_special(target):
        async with _opened(target, os.O_WRONLY) as written.fd:
            yield
    else:
        file = _File(target)
        try:
            # A cancellation waits for these calls, because the thread uses the file until they end.
            await wait_uncancelled(asyncio.ensure_future(asyncio.to_thread(file.open)))
            written.fd = file.fd
            yield
            await wait_uncancelled(asyncio.ensure_future(asyncio.to_thread(file.sync)))
            naming = asyncio.ensure_future(asyncio.to_thread(file.finish))
            try:
                await wait_uncancelled(naming)
            finally:
                written.complete = not naming.cancelled() and naming.exception() is None
        finally:
            file.discard()


@contextlib.asynccontextmanager
async def _opened(path: str | os.PathLike[str], flags: int) -> AsyncIterator[int]:
    """Opens a file in a thread, because opening a named pipe blocks until another process opens its other
    end."""
    opening = asyncio.ensure_future(asyncio.to_thread(os.open, path, flags | os.O_CLOEXEC))
    try:
        fd = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_result)
        raise
    try:
        yield fd
    finally:
        os.close(fd)


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Returns whether the path is a device or a named pipe, which must not be replaced by a file."""
    return os.path.exists(path) and not os.path.isfile(path)


def _close_result(opening: asyncio.Future[int]) -> None:
    if not opening.cancelled() and not opening.exception():
        os.close(opening.result())


@contextlib.asynccontextmanager
async def _pipe_to(writer: asyncio.StreamWriter) -> AsyncIterator[int]:
    reader = asyncio.StreamReader()
    async with _pipe() as (reader_end, writer_end):
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), reader_end
        )
        async with _copied(reader, writer, transport) as copying:
            yield writer_end.fileno()
            writer_end.close()
            await copying
            await _send_all(writer)


@contextlib.asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[BinaryIO, BinaryIO]]:
    """Gives both ends of a pipe, and closes those that are open at the end of the block."""
    reader_fd, writer_fd = os.pipe()
    with os.fdopen(reader_fd, "rb", 0) as reader, os.fdopen(writer_fd, "wb", 0) as writer:
        yield reader, writer


@contextlib.asynccontextmanager
async def _copied(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transport: asyncio.BaseTransport
) -> AsyncIterator[asyncio.Task[None]]:
    """Copies a stream while the block runs. If both the block and the copy fail, the copy's error is the
    cause of the block's error."""
    copying = asyncio.create_task(_copy(reader, writer, transport))
    try:
        yield copying
    except Error as error:
        cause = copying.exception() if copying.done() and not copying.cancelled() else None
        raise error from cause
    finally:
        copying.cancel()
        copying.add_done_callback(_forget)
        transport.close()


def _forget(copying: asyncio.Future[None]) -> None:
    """Retrieves the exception, so that asyncio does not report it."""
    if not copying.cancelled():
        copying.exception()


async def _send_all(writer: asyncio.StreamWriter) -> None:
    """Waits until the stream's buffer is empty. StreamWriter.drain() waits for a part of the buffer only."""
    low, high = writer.transport.get_write_buffer_limits()
    writer.transport.set_write_buffer_limits(0)
    try:
        await writer.drain()
    finally:
        writer.transport.set_write_buffer_limits(high, low)


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
    """Yields a descriptor from which the octets of `source` can be read."""
    if isinstance(source, asyncio.StreamReader):
        async with _pipe_from(source) as fd:
            yield fd
    elif isinstance(source, int):
        yield source
    else:
        async with _opened(source, os.O_RDONLY) as fd:
            yield fd


@contextlib.asynccontextmanager
async def _pipe_from(reader: asyncio.StreamReader) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    async with _pipe() as (reader_end, writer_end):
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, writer_end)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        async with _copied(reader, writer, transport):
            yield reader_end.fileno()
