# SPDX-License-Identifier: LGPL-2.1-or-later
"""After an agent was killed, the next agent finds the outcomes of the calls that were in progress."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import aioxen
import pytest
from aioxen.fleet import wire
from aioxen.fleet.agent import RECEIVE, Agent
from aioxen.fleet.audit import Audit
from aioxen.fleet.journal import Entry, Journal
from aioxen.fleet.policy import Policy
from aioxen.fleet.recovery import recover
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")


@pytest.mark.parametrize("paused", [0, 1])
async def test_a_received_guest_stays_paused_if_the_caller_wants_it(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, paused: int
) -> None:
    """The agent was killed after the last phase of domain_receive, before it wrote the outcome."""
    dom = await xen.domain_create(guest())
    journal = Journal(tmp_path / "journal")
    agent = Agent(xen, "h1", Policy([]), journal, Audit("h1"))
    journal.begin(Entry("id", "anna", b"digest", RECEIVE, None, str(dom.uuid), None, paused))
    await recover(agent)
    entry = journal.find("id")
    assert entry and entry.reply and wire.loads(entry.reply, 1 << 20)["state"] == "done"
    assert (await dom.info()).paused == bool(paused)
    await dom.destroy()
    journal.close()


def test_the_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """The journal of earlier versions has no column that says whether the guest stays paused."""
    file = sqlite3.connect(tmp_path / "journal", isolation_level=None)
    file.execute(
        "CREATE TABLE requests (id TEXT PRIMARY KEY, caller TEXT, digest BLOB, "
        " operation TEXT, domid INTEGER, uuid TEXT, reply BLOB, ended REAL) WITHOUT ROWID"
    )
    file.execute("INSERT INTO requests VALUES ('a', 'anna', x'00', ?, NULL, 'u', NULL, NULL)", (RECEIVE,))
    file.close()
    for _ in range(2):  # In the second round, the file has the new column.
        journal = Journal(tmp_path / "journal")
        assert list(journal.interrupted()) == [Entry("a", "anna", b"\0", RECEIVE, None, "u", None, 0)]
        journal.close()
    journal = Journal(tmp_path / "journal")
    journal.begin(Entry("b", "anna", b"\1", RECEIVE, None, "u", None, 1))
    assert journal.find("b") == Entry("b", "anna", b"\1", RECEIVE, None, "u", None, 1)
    journal.close()
