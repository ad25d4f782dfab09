# SPDX-License-Identifier: LGPL-2.1-or-later
"""The journal, an SQLite file with the requests that change something. An agent that was killed finds the
requests in the journal when it is started again.

A request is written before its operation starts, and its last reply when the operation ends. The file is not
synchronised with the disk, because it must survive only the end of the agent. A host that has lost power has
lost its domains, too, and the agent refuses requests from before the host's start.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from aioxen.fleet import wire

MOST = 20_000
"""The greatest number of requests that are remembered."""

MOST_UNSEEN = 4000
"""The greatest number of requests of one caller that are remembered though they have not arrived. So a caller
who asks for the outcomes of invented requests cannot fill the journal, and others can still call."""

KEPT = wire.WINDOW + 2 * wire.SKEW
"""How long an ended request is remembered, in seconds. It is longer than a request stays acceptable."""


class Entry(NamedTuple):
    """A request that is remembered."""

    id: str
    caller: str
    digest: bytes
    operation: str
    domid: int | None
    uuid: str
    reply: bytes | None
    """The last reply; None: the operation is in progress, or the agent has ended during it."""
    paused: int = 0
    """1: the domain that the operation makes stays paused."""


COLUMNS = "id, caller, digest, operation, domid, uuid, reply, paused"


class Journal:
    """The requests that an agent remembers. Use it in one thread."""

    def __init__(self, path: str | Path = ":memory:") -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, caller TEXT, digest BLOB, "
            " operation TEXT, domid INTEGER, uuid TEXT, reply BLOB, ended REAL) WITHOUT ROWID"
        )
        if "paused" not in [row[1] for row in self._file.execute("PRAGMA table_info (requests)")]:
            # The statement above and older releases make the table without this column.
            self._file.execute("ALTER TABLE requests ADD COLUMN paused INTEGER DEFAULT 0")
        self._file.execute("CREATE INDEX IF NOT EXISTS by_end ON requests (ended)")
        self._file.execute(
            "CREATE INDEX IF NOT EXISTS unseen ON requests (caller, ended) "
            f"WHERE operation IN ('{wire.CANCEL}', '{wire.OUTCOME}')"
        )
        self._count: int
        (self._count,) = self._file.execute("SELECT count(*) FROM requests").fetchone()

    def close(self) -> None:
        self._file.close()

    @property
    def full(self) -> bool:
        """Whether no further request can be remembered. Forgets requests that are too old to be accepted."""
        if self._count >= MOST:
            self._count -= self._file.execute(
                "DELETE FROM requests WHERE ended < ?", (time.time() - KEPT,)
            ).rowcount
        return self._count >= MOST

    def has_room_for_unseen(self, caller: str) -> bool:
        """Returns whether a further request of this caller that has not arrived can be remembered."""
        (found,) = self._file.execute(
            "SELECT count(*) FROM requests WHERE caller = ? AND ended >= ? "
            f"AND operation IN ('{wire.CANCEL}', '{wire.OUTCOME}')",
            (caller, time.time() - KEPT),
        ).fetchone()
        return bool(found < MOST_UNSEEN) and not self.full

    def begin(self, entry: Entry) -> None:
        """Remembers a request. A request that has a reply already is never carried out."""
        ended = None if entry.reply is None else time.time()
        self._file.execute(
            f"INSERT INTO requests ({COLUMNS}, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*entry, ended)
        )
        self._count += 1

    def end(self, id: str, reply: bytes) -> None:
        """Remembers the last reply to a request."""
        self._file.execute("UPDATE requests SET reply = ?, ended = ? WHERE id = ?", (reply, time.time(), id))

    def find(self, id: str) -> Entry | None:
        row = self._file.execute(f"SELECT {COLUMNS} FROM requests WHERE id = ?", (id,)).fetchone()
        return Entry(*row) if row else None

    def interrupted(self) -> Iterator[Entry]:
        """Yields the requests that were in progress when the earlier agent ended. Call it when the agent
        starts."""
        for row in self._file.execute(f"SELECT {COLUMNS} FROM requests WHERE reply IS NULL").fetchall():
            yield Entry(*row)
