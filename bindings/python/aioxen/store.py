# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Store, through which a program reads, changes and watches the nodes of xenstore.

A guest can write its own nodes, so a program must not trust the value of a node. A watch holds a bounded
number of changes, however often a guest writes.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, NoReturn, TypeVar

from aioxen import _values as v
from aioxen import errors
from aioxen._base import error_of
from aioxen._native import lib
from aioxen._queue import EventsLost, Queue
from aioxen._spec import CffiSpec, Result
from aioxen._subscription import Subscription
from aioxen.transaction import Names, Transaction, octets
from aioxen.types import Event, StoreChanged, StoreChangesLost, StorePermissions

if TYPE_CHECKING:
    from aioxen.context import Context
    from aioxen.operation import Operation

T = TypeVar("T")

AHEAD = 64
"""The greatest number of nodes that walk() reads ahead in one directory."""


def _take_text(c: v.CData) -> str:
    return v.get_blob(c).decode("utf-8", "surrogateescape")


_READ_TEXT = CffiSpec(
    "store_read",
    lib.libxl_store_read,
    inputs=("path",),
    results=(Result("libxl_blob *", _take_text, lib.libxl_blob_dispose),),
)


class Store:
    """The nodes of xenstore: `xen.store`.

    A path begins with "/", or is relative to the tree of the domain in which the program runs. A node has a
    value, permissions, and children. A value is text in UTF-8 with surrogateescape, or octets. A missing node
    raises NotFoundError. Without permission, an operation raises PermissionError. A path that xenstore does
    not allow raises InvalidError. A lost connection to xenstored raises NoXenstoreError.

    `timeout` is the greatest number of seconds that an operation may take. After this time it raises
    TimedOutError.
    """

    __slots__ = ("_xen",)

    def __init__(self, xen: Context) -> None:
        self._xen = xen

    # Nodes

    def read(self, path: str, *, timeout: float | None = None) -> Operation[str]:
        """Returns the value of a node as text. Octets that are not UTF-8 become lone surrogates."""
        return self._xen._start_reporting(_READ_TEXT, timeout, None, v.string(path, "path"))

    def read_bytes(self, path: str, *, timeout: float | None = None) -> Operation[bytes]:
        """Returns the value of a node as octets."""
        return self._xen.store_read(path, timeout=timeout)

    async def get(
        self,
        path: str,
        default: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> str | None:
        """Returns the value of a node as text, or `default` if the node is missing."""
        try:
            return await self.read(path, timeout=timeout)
        except errors.NotFoundError:
            return default

    def write(
        self,
        path: str,
        value: str | bytes,
        permissions: StorePermissions | None = None,
        *,
        timeout: float | None = None,
    ) -> Operation[None]:
        """Writes a node, and makes it and the nodes above it if they are missing.

        permissions: The node's new permissions. None: an existing node keeps its permissions, and a new one
        gets those of the node above it. The value and the permissions are written in one transaction.
        """
        return self._xen.store_write(path, octets(value), permissions, timeout=timeout)

    def list(self, path: str, *, timeout: float | None = None) -> Operation[Names]:
        """Returns the names of a node's children, without the path, in the order of xenstored."""
        return self._xen.store_list(path, timeout=timeout)

    def remove(self, path: str, *, timeout: float | None = None) -> Operation[None]:
        """Removes a node and all nodes below it. A missing node is not an error."""
        return self._xen.store_remove(path, timeout=timeout)

    def permissions(self, path: str, *, timeout: float | None = None) -> Operation[StorePermissions]:
        """Returns the permissions of a node."""
        return self._xen.store_get_permissions(path, timeout=timeout)

    def set_permissions(
        self, path: str, permissions: StorePermissions, *, timeout: float | None = None
    ) -> Operation[None]:
        """Sets the permissions of a node."""
        return self._xen.store_set_permissions(path, permissions, timeout=timeout)

    async def walk(self, path: str = "/") -> AsyncGenerator[tuple[str, str], None]:
        """Yields the path and the value of a node and of all nodes below it, as `xenstore-ls -f` prints them.

        A node comes before its children. Nodes that are removed meanwhile are left out. The nodes are read
        one after the other, so they are no snapshot.

        Raises: NotFoundError, if the node `path` is missing.
        """
        names = await self.list(path)
        yield path, await self.read(path)
        levels = [_Level(self, path, names)]
        try:
            while levels:
                child = await levels[-1].next()
                if child is None:
                    levels.pop()
                else:
                    path, value, names = child
                    yield path, value
                    if names:
                        levels.append(_Level(self, path, names))
        finally:
            for level in levels:
                level.cancel()

    # Transactions

    def transaction(self, *, timeout: float | None = None) -> Transaction:
        """Returns a transaction: `async with xen.store.transaction() as t:`.

        The end of the block commits the transaction. If another program has changed a node that the block has
        read, the commit changes nothing and raises ConflictError. transact() repeats the block instead.

        timeout: The greatest number of seconds that the commit may take.
        """
        return Transaction(self, timeout)

    async def transact(
        self,
        function: Callable[[Transaction], Awaitable[T]],
        *,
        attempts: int = 20,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> T:
        """Runs `await function(t)` with a new transaction t, commits the transaction, and returns the result.

        If another program has changed a node that the function has read, the function runs again. So it may
        run several times, and should have no other effects. If the function raises an exception, and the
        nodes that it has read have changed since, it runs again, too: it may have seen a node before and
        another node after a change. Otherwise the exception is raised, and nothing is changed.

        attempts: The greatest number of runs.

        timeout: Seconds for all runs together.

        Raises: ConflictError, after the last run; TimedOutError.
        """
        v.refuse_bool(attempts, "attempts")
        if v.expected(attempts, int, "attempts") < 1:
            raise ValueError(f"attempts: {attempts!r} is less than 1")
        async with self._limit(timeout, "store.transact"):
            for left in reversed(range(attempts)):
                transaction = Transaction(self, None)
                try:
                    result = await function(transaction)
                except Exception:
                    if not left or transaction._ended or await transaction._is_current():
                        raise
                else:
                    try:
                        await transaction.commit()
                        return result
                    except errors.ConflictError:
                        if not left:
                            raise
        raise AssertionError("unreachable")

    # Changes

    def watch(self, path: str, *, capacity: int = 1024) -> StoreWatch:
        """Watches a node and all nodes below it: `async for change in xen.store.watch(path):`.

        Each change is a StoreChanged with the path of the node that may have changed. The first change comes
        when xenstored has the watch, with the watched path. So a program that reads a node after each change
        misses nothing. While a change of a path waits to be read, further changes of this path are not
        reported. At most `capacity` changes wait. Further changes are dropped, and an EventsLost takes their
        place. An EventsLost is also delivered when xenstored has ended and answers again.

        path: The node, which need not exist; or "@introduceDomain" or "@releaseDomain", which change when a
        domain comes or goes.

        Raises: InvalidError. The iteration raises the error with which xenstored refuses the watch.
        """
        self._xen._bind()
        return StoreWatch(self._xen, path, capacity)

    async def wait(
        self,
        path: str,
        predicate: Callable[[str | None], object] = lambda value: value is not None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> str | None:
        """Waits until the value of a node fulfils a condition, and returns the value.

        The wait continues if xenstored ends and runs again.

        predicate: A function of the value; the value is None while the node is missing. The wait ends when
        the result is true. Without it, the wait ends when the node exists.

        Raises: TimedOutError, and what the predicate raises.
        """
        async with self._limit(timeout, "store.wait"), self.watch(path, capacity=1) as changes:
            async for _ in changes:
                try:
                    value = await self.get(path)
                except errors.NoXenstoreError:
                    continue  # An EventsLost follows when xenstored answers again.
                if predicate(value):
                    return value
        raise errors.ClosedError("the context is closed", "store.wait")

    @contextlib.asynccontextmanager
    async def _limit(self, seconds: float | None, operation: str) -> AsyncIterator[None]:
        """Limits the time of a block. Raises TimedOutError, as operations do."""
        try:
            async with self._xen._timeout(seconds):
                yield
        except TimeoutError as error:
            if seconds is None or isinstance(error, errors.Error):
                raise
            raise errors.TimedOutError(f"not done within {seconds} s", operation) from None

    def __repr__(self) -> str:
        return f"<Store of {self._xen!r}>"


class _Level:
    """The children of one node that walk() has not yielded yet. Some of them are being read."""

    __slots__ = ("_store", "_path", "_names", "_started")

    def __init__(self, store: Store, path: str, names: Names) -> None:
        self._store = store
        self._path = path.rstrip("/")
        self._names: Iterator[str] = iter(names)
        self._started: deque[tuple[str, Operation[str], Operation[Names]]] = deque()

    async def next(self) -> tuple[str, str, Names] | None:
        """Returns the path, the value and the children of the next child, or None."""
        while True:
            while len(self._started) < AHEAD and (name := next(self._names, None)) is not None:
                path = f"{self._path}/{name}"
                self._started.append((path, self._store.read(path), self._store.list(path)))
            if not self._started:
                return None
            path, value, names = self._started.popleft()
            try:
                return path, await value, await names
            except errors.NotFoundError:
                names.cancel()  # The node was removed after its name was read.

    def cancel(self) -> None:
        for _, value, names in self._started:
            value.cancel()
            names.cancel()


class ChangeQueue(Queue):
    """Holds up to `capacity` changes, one for each path. An EventsLost takes the place of further changes."""

    __slots__ = ("_paths",)

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, None)
        self._paths: set[str] = set()  # The paths of the changes in the queue.

    def put(self, event: Event) -> None:
        if isinstance(event, StoreChangesLost):
            self._lose(event.dropped)
        elif isinstance(event, StoreChanged) and event.path not in self._paths:
            if len(self._paths) < self.capacity:
                self.waiting.append(event)
                self._paths.add(event.path)
            else:
                self._lose(1)

    def _lose(self, count: int) -> None:
        last = self.waiting[-1] if self.waiting else None
        if isinstance(last, EventsLost):
            last.count += count
        else:
            self.waiting.append(EventsLost(count))

    def get(self) -> Event | EventsLost | None:
        # The path is forgotten before the change is removed. An interrupt between the two can only cause a
        # superfluous change.
        if self.waiting and isinstance(first := self.waiting[0], StoreChanged):
            self._paths.discard(first.path)
        return super().get()


class StoreWatch(Subscription[StoreChanged]):
    """A subscription to the changes of a node and of all nodes below it. Store.watch() returns it.

    One task at a time may read the changes. The watch ends with aclose(), at the end of `async with`,
    and when the object is garbage-collected.
    """

    def __init__(self, xen: Context, path: str, capacity: int) -> None:
        self.path = path
        self._error: errors.Error | None = None
        super().__init__(xen, ChangeQueue(capacity), "store_watch", v.string(path, "path"))

    def _put(self, event: Event) -> None:
        if isinstance(event, StoreChangesLost) and event.rc:
            self._error = error_of(event.rc, f"xenstored refuses to watch {self.path!r}", "store.watch")
            self._finish()
        else:
            super()._put(event)

    def _raise_end(self) -> NoReturn:
        if self._error is not None:
            raise self._error
        super()._raise_end()

    def __repr__(self) -> str:
        return f"<StoreWatch {self.path!r}{'' if self._generator else ' ended'}>"
