# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Endpoint, which writes metrics to a file or serves them by HTTP on a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aioxen import errors
from aioxen.log import logger

REQUEST_SECONDS = 10
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Endpoint(ABC):
    """The base class of classes that have metrics."""

    @abstractmethod
    async def render(self) -> bytes:
        """Returns all metrics in Prometheus's text format."""

    async def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the metrics to a file, for the textfile collector of node_exporter. The file is replaced by
        a rename, so no reader sees an incomplete file. The name should end in .prom. The file's mode is 0644.

        Raises: ClosedError; OSError.
        """
        text = await self.render()
        await asyncio.get_running_loop().run_in_executor(None, _replace, Path(path), text)

    async def write_every(self, path: str | os.PathLike[str], seconds: float = 15) -> None:
        """Writes the file again and again, until the task is cancelled. A failure to write is logged."""
        while True:
            try:
                await self.write(path)
            except OSError as error:
                logger.error("metrics: %s", error, extra={"operation": None, "domid": None})
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def serve(self, path: str | os.PathLike[str], mode: int = 0o660) -> AsyncIterator[None]:
        """Serves the metrics by HTTP on a unix socket during the block. At the end, the socket is removed.

        mode: The permissions of the socket.

        Raises: OSError; FileExistsError, if the path exists and is no socket.
        """
        listening = _listen(Path(path), mode)
        server = await asyncio.start_unix_server(self._answer, sock=listening)
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            status, text = await self._response(head.split(b" ", 2))
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\n"
                f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()
            )
            if not head.startswith(b"HEAD "):
                writer.write(text)
            async with asyncio.timeout(REQUEST_SECONDS):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # The client is too slow, has gone, or speaks no HTTP.
        finally:
            writer.close()

    async def _response(self, request: list[bytes]) -> tuple[str, bytes]:
        if request[0] not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", b"only GET\n"
        if len(request) < 3 or request[1].partition(b"?")[0] not in (b"/", b"/metrics"):
            return "404 Not Found", b"the metrics are at /metrics\n"
        try:
            return "200 OK", await self.render()
        except errors.Error as error:
            return "503 Service Unavailable", f"{error}\n".encode("utf-8", "replace")


def _replace(path: Path, text: bytes) -> None:
    """Writes a file that takes the place of `path` when it is complete."""
    fd, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            os.fchmod(fd, 0o644)
            file.flush()
            os.fsync(fd)
        os.replace(made, path)
    except BaseException:
        os.unlink(made)
        raise


def _listen(path: Path, mode: int) -> socket.socket:
    """Returns a socket that is bound to `path`. Removes the socket of a server that has ended."""
    if path.is_socket():
        path.unlink()
    elif path.exists():
        raise FileExistsError(f"{path}: exists and is no socket")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.bind(str(path))
        # No client can connect before the socket listens, so the permissions are set in time.
        os.chmod(path, mode)
    except BaseException:
        listening.close()
        raise
    return listening
