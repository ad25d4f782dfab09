# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Console: the terminal of a domain's console in the event loop.

The output comes from the guest, which may be malicious. So memory is bounded, and output in messages is
escaped.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import stat
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aioxen._console_log import ConsoleLog
from aioxen._spec import DomainLike
from aioxen.errors import FailedError
from aioxen.types import ConsoleType

if TYPE_CHECKING:
    from aioxen._loop_context import LoopContext
    from aioxen.operation import Operation

PSEUDO_TERMINALS = range(136, 144)
"""The major device numbers of the terminals below /dev/pts."""

CHUNK = 4096
"""The greatest number of octets that one iteration of the event loop reads."""

GRACE_SECONDS = 1.0
"""The time for the last output after the domain is gone, in seconds. The time counts only if xenconsoled
does not close the terminal."""

TAIL = 200
"""The greatest number of octets of output in a message."""


def open_terminal(path: str) -> int:
    """Opens a pseudo-terminal, in raw mode.

    Raises: OSError; FailedError, if the path does not lead to a pseudo-terminal.
    """
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        status = os.fstat(fd)
        if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) not in PSEUDO_TERMINALS:
            raise FailedError(f"{path!r} is not a pseudo-terminal")
        import termios  # The module is imported here to keep the import of the package fast.
        import tty

        tty.setraw(fd, termios.TCSANOW)
    except BaseException:
        os.close(fd)
        raise
    return fd


class Console:
    """A domain's console, made by Domain.console(). Use it as `async with dom.console() as c:`.

    The object reads from the terminal that xenconsoled or a device model has made for the console. Earlier
    output that xenconsoled has kept is read first. When the domain is gone, the output ends. Then read() and
    readline() return b"", `async for` ends, and expect() raises EOFError. A rebooted guest is a new domain
    with its own console.

    The object keeps at most `limit` octets of unread output. At this limit, the object stops reading the
    terminal until there is room again. During this time xenconsoled drops the output that does not fit into
    its own buffer. With log_to(), the object reads the terminal all the time, and drops the oldest unread
    output instead.

    One task at a time may read. Any number of tasks may write. If another Console of the same domain or
    another program, such as `xl console`, reads the same terminal, each octet of output goes to only one
    reader.
    """

    def __init__(
        self, xen: LoopContext, domain: DomainLike, number: int, kind: ConsoleType, limit: int
    ) -> None:
        if limit < 2:
            raise ValueError(f"limit: {limit} is less than 2")
        self._xen = xen
        self._where = (domain, number, kind)
        self._limit = limit
        self._buffer = bytearray()
        self._fd: int | None = None
        self._reading = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None
        self._writing = xen._lock_type()
        self._gone: Operation[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._log: ConsoleLog | None = None

    # Opening and closing

    async def __aenter__(self) -> Self:
        if self._fd is not None:
            raise RuntimeError("the console is open already")
        domain = self._where[0]
        self._fd = await self._open()
        self._loop = self._xen._running_loop()
        self._buffer.clear()
        self._ended = False
        try:
            self._gone = self._xen.domain_wait_gone(domain)
            self._gone.add_done_callback(self._domain_is_gone)
            self._resume()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def _open(self) -> int:
        """Opens the terminal.

        After the terminal is open, its path is looked up again. If the path has changed, the terminal may
        belong to another program.
        """
        path = await self._xen.domain_console_tty(*self._where)
        fd = open_terminal(path)
        try:
            if await self._xen.domain_console_tty(*self._where) != path:
                raise FailedError(f"the terminal of domain {self._where[0]} has changed")
        except BaseException:
            os.close(fd)
            raise
        return fd

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        except OSError:
            if error is None:
                raise

    async def aclose(self) -> None:
        """Closes the terminal, and writes the rest of the log. Output that was not read is lost.

        Raises: OSError, if the log could not be written.
        """
        self._end()
        if self._fd is not None:
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = None
        gone, self._gone = self._gone, None
        log, self._log = self._log, None
        if gone is not None and not gone.done():
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._xen._wait_uncancelled(gone)
        if log is not None:
            await log.aclose()

    @property
    def ended(self) -> bool:
        """Whether the output has ended. Unread output can still be read."""
        return self._ended

    def _domain_is_gone(self, gone: asyncio.Future[None]) -> None:
        failed = gone.cancelled() or gone.exception() is not None
        if not failed and not self._ended and self._fd is not None:
            self._grace = self._loop.call_later(GRACE_SECONDS, self._end)

    def _end(self) -> None:
        """Ends the output. Wakes the task that waits for output."""
        self._ended = True
        self._pause()
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self._wake()

    # Reading

    def _resume(self) -> None:
        if self._reading or self._ended or self._fd is None:
            return
        self._loop.add_reader(self._fd, self._read_some)
        self._reading = True

    def _pause(self) -> None:
        if self._reading and self._fd is not None:
            self._loop.remove_reader(self._fd)
        self._reading = False

    def _read_some(self) -> None:
        """Reads once. The event loop calls this function again if there is more output. So a guest that
        writes without end does not block the loop."""
        assert self._fd is not None
        room = self._limit - len(self._buffer)
        try:
            data = os.read(self._fd, min(CHUNK, self._limit if self._log else room))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # The error is EIO if the other end of the terminal is closed.
            data = b""
        if not data:
            self._end()
            return
        if self._log is not None:
            self._log.add(data)
            del self._buffer[: max(len(data) - room, 0)]
        self._buffer += data
        if len(self._buffer) >= self._limit and self._log is None:
            self._pause()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check_alone(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("another task is reading this console")

    async def _more(self) -> bool:
        """Waits for more output. Returns True if there is more output, or False at the end of the output."""
        if self._ended:
            return False
        if self._fd is None:
            raise RuntimeError("the console is not open")
        self._resume()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        return True

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._resume()
        return data

    async def read(self, most: int | None = None) -> bytes:
        """Waits for output, and returns all that has arrived, at most `most` octets. Returns b"" at the end.

        Raises: RuntimeError, if another task is reading.
        """
        self._check_alone()
        while not self._buffer:
            if not await self._more():
                return b""
        return self._take(len(self._buffer) if most is None else most)

    async def readline(self) -> bytes:
        """Waits for a line, and returns it with its newline. Returns b"" at the end.

        A line that is longer than `limit` is returned in pieces. The last line of the output may have no
        newline.

        Raises: RuntimeError, if another task is reading.
        """
        self._check_alone()
        searched = 0
        while (at := self._buffer.find(b"\n", searched)) < 0:
            # With a log, old output may have been dropped, so all output is searched.
            searched = 0 if self._log else len(self._buffer)
            if len(self._buffer) >= self._limit or not await self._more():
                return self._take(len(self._buffer))
        return self._take(at + 1)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if line := await self.readline():
            return line
        raise StopAsyncIteration

    async def expect(
        self,
        pattern: str | bytes | re.Pattern[bytes],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> re.Match[bytes]:
        """Waits until the output matches a regular expression. Takes the output up to the end of the match.

        pattern: A regular expression. A str is encoded in UTF-8. While nothing matches, old output is dropped
        to make room. At least the last `limit` / 2 octets are kept and searched.

        timeout: The limit in seconds. None: no limit.

        Raises: TimeoutError, EOFError, with the end of the output; RuntimeError, if another task is reading.
        """
        self._check_alone()
        if not isinstance(pattern, re.Pattern):
            pattern = re.compile(pattern.encode() if isinstance(pattern, str) else pattern)
        try:
            async with self._xen._timeout(timeout):
                while (match := pattern.search(bytes(self._buffer))) is None:
                    if len(self._buffer) >= self._limit:
                        self._take(self._limit // 2)
                    if not await self._more():
                        raise EOFError(f"the console has ended before {pattern.pattern!r}{self._tail()}")
        except TimeoutError:
            raise TimeoutError(f"{pattern.pattern!r} has not come in {timeout} s{self._tail()}") from None
        self._take(match.end())
        return match

    def _tail(self) -> str:
        return f"; the output ends with {bytes(self._buffer[-TAIL:])!r}"

    # Writing

    async def write(self, data: bytes | str) -> None:
        """Writes input to the guest. Returns when the terminal has accepted all of it. A str is encoded in
        UTF-8.

        Raises: BrokenPipeError, if the console has ended; RuntimeError, if it is not open.
        """
        rest = memoryview(data.encode() if isinstance(data, str) else data)
        async with self._writing:
            while rest:
                if self._fd is None:
                    raise RuntimeError("the console is not open")
                if self._ended:
                    raise BrokenPipeError(errno.EPIPE, "the console has ended")
                try:
                    rest = rest[os.write(self._fd, rest) :]
                except BlockingIOError:
                    await self._writable(self._fd)
                except OSError as error:
                    raise BrokenPipeError(errno.EPIPE, "the console has ended") from error

    async def _writable(self, fd: int) -> None:
        """Waits until the terminal accepts input, at most GRACE_SECONDS."""
        ready: asyncio.Future[None] = self._loop.create_future()

        def on_writable() -> None:
            if not ready.done():
                ready.set_result(None)

        self._loop.add_writer(fd, on_writable)
        # The console may end meanwhile, so write() looks again from time to time.
        timer = self._loop.call_later(GRACE_SECONDS, on_writable)
        try:
            await ready
        finally:
            timer.cancel()
            if self._fd == fd:
                self._loop.remove_writer(fd)

    # Logging

    async def log_to(self, path: str | os.PathLike[str], *, max_bytes: int = 1 << 20, keep: int = 3) -> None:
        """Appends all output from now on to a file. The log also gets the output while no task reads
        the console.

        A thread writes the file. If the disk is too slow, output is left out, and the log says how many
        octets.

        max_bytes: The size limit. Before a file would exceed it, the file is renamed PATH.1, and older files
        PATH.N are renamed PATH.N+1.

        keep: The number of renamed files that are kept. 0: the file is emptied instead.

        Raises: OSError, if the file cannot be opened. A later error ends the log, and aclose() raises it.
        """
        if self._fd is None:
            raise RuntimeError("the console is not open")
        if self._log is not None:
            raise RuntimeError("the console has a log already")
        log = ConsoleLog(self._xen, os.fspath(path), max_bytes, keep)
        await log.open()
        if self._buffer:
            log.add(bytes(self._buffer))
        self._log = log
        self._resume()
