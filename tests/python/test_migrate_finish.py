# SPDX-License-Identifier: LGPL-2.1-or-later
"""The last phases of a migration fail. Afterwards either it is known where the guest runs, or `unfinished`
lists the domain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable

import aioxen
import pytest
from limits import scaled
from migrating import ANSWER, GO, NAME, READY, at_received, is_gone, traveller
from saving import resumed, runs
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")

AWAY = f"{NAME}--migratedaway"


class Sent:
    """A migration whose sender has sent the message GO. The test plays the receiver."""

    def __init__(
        self, moving: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.moving, self.reader, self.writer = moving, reader, writer

    async def answer(self, octets: bytes) -> None:
        """Sends the receiver's answer, and waits for the end of the migration."""
        self.writer.write(octets)
        await self.moving


@contextlib.asynccontextmanager
async def sent(dom: aioxen.Domain) -> AsyncIterator[Sent]:
    moving, reader, writer = await at_received(dom)
    writer.write(READY)
    assert await reader.readexactly(len(GO)) == GO
    try:
        yield Sent(moving, reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def left(xen: aioxen.Context) -> list[tuple[int, aioxen.UnfinishedWork]]:
    return [(one.domid, one.work) for one in await xen.unfinished()]


MOVED = ANSWER + b"\0"
GIVEN_BACK = ANSWER + b"\3" + GO


async def cli(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "aioxen", *words)
    assert await process.wait() == 0


async def test_a_guest_that_has_moved_is_a_success_if_its_domain_is_not_destroyed(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    """The hypervisor refuses the first attempt to destroy the domain on this machine."""
    dom = await traveller(xen, guest)
    async with sent(dom) as migration:
        sim("fault", "add", "--pid", str(os.getpid()), "domctl.destroydomain:1:EPERM")
        with caplog.at_level(logging.WARNING):
            await migration.answer(MOVED)
    assert "the guest runs on the other machine, but domain" in caplog.text
    assert "tried again every second" in caplog.text
    await dom.wait_gone(timeout=scaled(20))
    while not await is_gone(xen):
        await asyncio.sleep(0.01)
    assert await left(xen) == []


async def test_a_domain_that_is_never_destroyed_is_listed_when_the_context_is_closed(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str]
) -> None:
    async with aioxen.Context() as other:
        dom = await traveller(other, guest)
        async with sent(dom) as migration:
            sim("fault", "add", "--pid", str(os.getpid()), "domctl.destroydomain:*:EPERM")
            await migration.answer(MOVED)
        assert await left(xen) == []  # The context `other` still tries to destroy the domain.
    assert await left(xen) == [(dom.domid, aioxen.UnfinishedWork.CREATION)]
    sim("fault", "clear")
    await xen.remove_unfinished(dom.uuid)
    assert await is_gone(xen)


async def test_a_domain_whose_guest_has_moved_never_runs(xen: aioxen.Context, guest: Configure) -> None:
    """The test makes the state in which a process leaves the domain if it is killed between the receiver's
    answer and the destruction."""
    dom = await traveller(xen, guest)
    async with sent(dom) as migration:
        migration.writer.close()
        with pytest.raises(aioxen.OwnerUnknownError):
            await migration.moving
    mark = f"/libxl/{dom.domid}/aioxen-save"
    assert await left(xen) == [(dom.domid, aioxen.UnfinishedWork.MIGRATION)]
    await xen.store_write(mark, (await xen.store_read(mark)).replace(b" given", b" moved"))
    assert await left(xen) == [(dom.domid, aioxen.UnfinishedWork.MOVED)]
    with pytest.raises(aioxen.InvalidError, match="runs on another machine"):
        await dom.resume()
    with pytest.raises(aioxen.InvalidError, match="runs on another machine"):
        await xen.domain_keep_suspended(dom)
    with pytest.raises(aioxen.NotFoundError, match="runs on another machine"):
        await xen.resume_unfinished(dom.uuid)
    assert (await dom.info()).shutdown
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aioxen", "unfinished", "remove", "--all"
    )
    assert await process.wait() == 0
    assert await left(xen) == [] and await is_gone(xen)


async def test_a_guest_that_is_given_back_runs_under_its_name(xen: aioxen.Context, guest: Configure) -> None:
    dom = await traveller(xen, guest)
    async with sent(dom) as migration:
        with pytest.raises(aioxen.FailedError, match="status 3"):
            await migration.answer(GIVEN_BACK)
    assert await dom.name() == NAME and await runs(dom)
    assert await left(xen) == []
    await dom.destroy()


async def test_the_error_names_a_renaming_that_fails(xen: aioxen.Context, guest: Configure) -> None:
    """Another domain has taken the name meanwhile."""
    dom = await traveller(xen, guest)
    async with sent(dom) as migration:
        other = await xen.domain_create(guest("b", name=NAME))
        with pytest.raises(aioxen.FailedError, match=f"status 3.*keeps the name '{AWAY}': Another domain"):
            await migration.answer(GIVEN_BACK)
    assert await dom.name() == AWAY and await runs(dom)
    assert await left(xen) == []
    await dom.destroy()
    await other.destroy()


async def test_the_error_names_a_resumption_that_fails_and_is_tried_again(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str]
) -> None:
    dom = await traveller(xen, guest)
    async with sent(dom) as migration:
        sim("fault", "add", "--pid", str(os.getpid()), "domctl.resumedomain:1:EPERM")
        with pytest.raises(aioxen.FailedError, match=r"status 3.*tried again every second"):
            await migration.answer(GIVEN_BACK)
    await resumed(dom)
    assert await dom.name() == NAME and await runs(dom)
    await dom.destroy()


@pytest.mark.parametrize("how", ["silent", "restarted"])
async def test_a_guest_whose_owner_is_not_known_is_listed_when_xenstored_answers_again(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], how: str
) -> None:
    """When the connection to the receiver is lost, xenstored does not answer, or is restarted without any
    nodes. This process continues."""
    dom = await traveller(xen, guest)
    stop, start = ("stop", "cont") if how == "silent" else ("kill", "start")
    async with sent(dom) as migration:
        sim("xenstored", stop)
        try:
            migration.writer.close()
            with pytest.raises(aioxen.OwnerUnknownError):
                await migration.moving
        finally:
            sim("xenstored", start)
    async with asyncio.timeout(scaled(20)):
        while True:
            with contextlib.suppress(aioxen.NoXenstoreError):
                if await left(xen) == [(dom.domid, aioxen.UnfinishedWork.MIGRATION)]:
                    break
            await asyncio.sleep(0.01)
    if how == "silent":
        await xen.resume_unfinished(dom.uuid)
        assert await dom.name() == NAME and await runs(dom)
        assert await left(xen) == []
    await dom.destroy()


async def test_a_guest_is_not_resumed_while_another_domain_has_its_name(
    xen: aioxen.Context, guest: Configure
) -> None:
    """The domain that has the name could be the guest, moved back from the other machine."""
    dom = await traveller(xen, guest)
    async with sent(dom) as migration:
        migration.writer.close()
        with pytest.raises(aioxen.OwnerUnknownError):
            await migration.moving
    other = await xen.domain_create(guest("b", name=NAME))
    assert await left(xen) == [(dom.domid, aioxen.UnfinishedWork.MIGRATION)]
    with pytest.raises(aioxen.DomainExistsError):
        await xen.resume_unfinished(dom.uuid)
    assert (await dom.info()).shutdown
    assert await left(xen) == [(dom.domid, aioxen.UnfinishedWork.MIGRATION)]
    await other.destroy()
    await xen.resume_unfinished(dom.uuid)
    assert await dom.name() == NAME and await runs(dom)
    await dom.destroy()
