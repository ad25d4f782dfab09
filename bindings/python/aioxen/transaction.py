# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Transaction: reads and changes of xenstore that take effect together.

A transaction of xenstored is open only during the commit. The block reads nodes at once and collects its
changes. The commit sends one transaction. It first checks that the nodes have not changed since they were
read, and then makes the changes. So a program may take any time between its reads and its commit. It holds
nothing in xenstored meanwhile, and does not delay the library's own operations, which also need transactions.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from aioxen import _values as v
from aioxen import errors
from aioxen.types import StoreAction, StorePermissions, StoreStep, StoreSteps

if TYPE_CHECKING:
    from aioxen.store import Store


# In the class below, `list` is a method.
Names: TypeAlias = list[str]
Steps: TypeAlias = list[StoreStep]


def octets(value: str | bytes) -> bytes:
    """Returns a value as octets. Text is converted to UTF-8 with surrogateescape, and may contain NUL."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return v.expected(value, bytes, "value")


def _above(path: str) -> str:
    """Returns the path of the node above, or "" if the path has no slash or is "/"."""
    return path.rpartition("/")[0] or ("/" if len(path) > 1 and path[0] == "/" else "")


class Transaction:
    """Reads and changes of xenstore that take effect together or not at all.

    Store.transaction() and Store.transact() make transactions. A node that is read a second time has the same
    value as before. The transaction sees its own changes. A node should always be named by the same path.
    """

    __slots__ = ("_store", "_timeout", "_values", "_names", "_changes", "_written", "_removed", "_ended")

    def __init__(self, store: Store, timeout: float | None) -> None:
        self._store = store
        self._timeout = timeout
        self._values: dict[str, bytes | None] = {}  # The values that were read. None: the node was missing.
        self._names: dict[str, Names] = {}  # The names of children that were read.
        self._changes: Steps = []
        self._written: dict[str, bytes] = {}  # The nodes that the changes have written.
        self._removed: set[str] = set()  # The nodes that the changes have removed.
        self._ended = False

    # Reading

    async def read(self, path: str) -> str:
        """Returns the value of a node as text. Raises: NotFoundError."""
        return (await self.read_bytes(path)).decode("utf-8", "surrogateescape")

    async def read_bytes(self, path: str) -> bytes:
        """Returns the value of a node as octets. Raises: NotFoundError."""
        self._check_open()
        if path in self._written:
            return self._written[path]
        value = None if self._is_removed(path) else await self._fetch(path)
        if value is not None:
            return value
        if self._new_names(path):
            return b""  # The commit makes this node together with a node below it.
        raise errors.NotFoundError(f"path: there is no node {path!r}", "transaction.read")

    async def get(self, path: str, default: str | None = None) -> str | None:
        """Returns the value of a node as text, or `default` if the node is missing."""
        try:
            return await self.read(path)
        except errors.NotFoundError:
            return default

    async def list(self, path: str) -> Names:
        """Returns the names of a node's children. Raises: NotFoundError."""
        self._check_open()
        new = self._new_names(path)
        if self._is_removed(path):
            if path not in self._written and not new:
                raise errors.NotFoundError(f"path: there is no node {path!r}", "transaction.list")
            return new
        if path not in self._names:
            try:
                self._names[path] = await self._store.list(path)
            except errors.NotFoundError:
                self._values[path] = None
                if path not in self._written and not new:
                    raise
                return new
        inner = path.rstrip("/") + "/"
        kept = [n for n in self._names[path] if inner + n not in self._removed or n in new]
        return kept + [n for n in new if n not in kept]

    async def _fetch(self, path: str) -> bytes | None:
        """Returns the value of a node in xenstore, or None if it is missing. Reads each node once."""
        if path not in self._values:
            try:
                value = await self._store.read_bytes(path)
            except errors.NotFoundError:
                value = None
            # Another task of the program may have read the node meanwhile.
            self._values.setdefault(path, value)
        return self._values[path]

    def _is_removed(self, path: str) -> bool:
        """Returns whether the changes have removed the node or a node above it."""
        while path and path not in self._removed:
            path = _above(path)
        return bool(path)

    def _new_names(self, path: str) -> Names:
        """Returns the names of the children that the changes have written. A child also counts if the changes
        have written a node below it."""
        inner = path.rstrip("/") + "/"
        below = (written[len(inner) :] for written in self._written if written.startswith(inner))
        return list(dict.fromkeys(rest.partition("/")[0] for rest in below))

    # Changing

    def write(self, path: str, value: str | bytes, permissions: StorePermissions | None = None) -> None:
        """Writes a node, as Store.write() does, when the transaction is committed."""
        self._check_open()
        written = octets(value)
        v.string(path, "path")
        self._changes.append(StoreStep(StoreAction.WRITE, path, written))
        self._written[path] = written
        if permissions is not None:
            self.set_permissions(path, permissions)

    def remove(self, path: str) -> None:
        """Removes a node and all nodes below it when the transaction is committed. A missing node is not an
        error."""
        self._check_open()
        v.string(path, "path")
        self._changes.append(StoreStep(StoreAction.REMOVE, path))
        inner = path.rstrip("/") + "/"
        self._written = {p: w for p, w in self._written.items() if p != path and not p.startswith(inner)}
        self._removed.add(path)

    def set_permissions(self, path: str, permissions: StorePermissions) -> None:
        """Sets the permissions of a node when the transaction is committed."""
        self._check_open()
        v.string(path, "path")
        self._changes.append(StoreStep(StoreAction.SET_PERMISSIONS, path, permissions=permissions))

    # The end

    def _check_open(self) -> None:
        if self._ended:
            raise RuntimeError("the transaction has ended")

    def _checks(self) -> Steps:
        """Returns the steps that check that the nodes have not changed since they were read."""
        steps = [
            StoreStep(StoreAction.CHECK_MISSING, path)
            if value is None
            else StoreStep(StoreAction.CHECK_VALUE, path, value)
            for path, value in self._values.items()
        ]
        return steps + [StoreStep(StoreAction.CHECK_NAMES, p, names=n) for p, n in self._names.items()]

    async def commit(self) -> None:
        """Checks what was read, and makes the changes. The transaction has ended then.

        Raises: ConflictError, if another program has changed a node that was read; nothing is changed then.
        """
        self._check_open()
        self._ended = True
        steps = self._checks() + self._changes
        if steps:
            await self._store._xen.store_commit(StoreSteps(steps), timeout=self._timeout)

    async def _is_current(self) -> bool:
        """Returns whether the nodes are the same as when they were read. If xenstored does not answer, the
        result is True."""
        self._ended = True
        if checks := self._checks():
            try:
                await self._store._xen.store_commit(StoreSteps(checks), timeout=self._timeout)
            except errors.ConflictError:
                return False
            except errors.Error:
                return True
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commits the transaction, unless the block has raised an exception or has committed it."""
        if error is None and not self._ended:
            await self.commit()
        self._ended = True

    def __repr__(self) -> str:
        state = "ended" if self._ended else "open"
        return f"<Transaction {state}: {len(self._checks())} checks, {len(self._changes)} changes>"
