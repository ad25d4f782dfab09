# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations as futures. The tests concern cancelling, undoing, time limits, and the ways to await
an operation."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import aioxen
import pytest
from aioxen.operation import Operation
from limits import scaled
from worldly import Configure, domids


async def settled(future: asyncio.Future[Any]) -> BaseException | None:
    """Waits until the future is done. Returns its exception, or None."""
    try:
        await future
    except (asyncio.CancelledError, Exception) as error:
        return error
    return None


async def existing(xen: aioxen.Context) -> list[int]:
    return [info.domid for info in await xen.domain_list()]


# Cancelling operations


@pytest.mark.parametrize("delay", [0, 0.002, 0.01, 0.05, 0.3])
async def test_a_cancelled_creation_leaves_nothing(
    xen: aioxen.Context, guest: Configure, delay: float
) -> None:
    before = await existing(xen)
    creation = xen.domain_create(guest(memory="64M", machine="pvh"))
    await asyncio.sleep(delay)
    if creation.cancel():
        assert isinstance(await settled(creation), asyncio.CancelledError)
        assert creation.cancelled()
    else:
        await creation.result().destroy()
    assert await existing(xen) == before


async def test_a_future_is_cancelled_when_the_operation_has_ended(xen: aioxen.Context) -> None:
    waiting = xen.domain_wait_shutdown(0)
    assert waiting.cancel("enough")
    assert not waiting.done()
    assert waiting.cancel()  # Cancelling twice has the same effect as cancelling once.
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not waiting.cancel()
    assert xen.counters().operations_aborted == 1


async def test_a_cancelled_task_waits_until_the_operation_has_ended(xen: aioxen.Context) -> None:
    async def wait() -> None:
        await xen.domain_wait_shutdown(0)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    assert isinstance(await settled(task), asyncio.CancelledError)
    assert xen.counters().operations == 0


async def test_a_success_after_cancel_is_undone(xen: aioxen.Context, guest: Configure) -> None:
    """The operation is cancelled after the C operation has completed and before its event is delivered."""
    before = await existing(xen)
    creation = xen.domain_create(guest())
    asyncio.get_running_loop().remove_reader(fd := fileno(xen))
    while not xen.counters().events:
        await asyncio.sleep(0.001)
        step(xen)
    assert await existing(xen) != before
    assert creation.cancel()
    asyncio.get_running_loop().add_reader(fd, xen._deliver_events)
    assert isinstance(await settled(creation), asyncio.CancelledError)
    assert await existing(xen) == before
    assert xen.counters().operations_aborted == 0


async def test_a_result_that_its_task_never_sees_is_undone(xen: aioxen.Context, guest: Configure) -> None:
    """The task is cancelled after its operation is done and before the task continues."""
    before = await existing(xen)
    seen: list[aioxen.Domain] = []

    async def create() -> None:
        seen.append(await xen.domain_create(guest()))

    task = asyncio.create_task(create())
    await asyncio.sleep(0)
    (creation,) = xen._live_operations()
    while not creation.done():
        await asyncio.sleep(0)
    assert not seen
    task.cancel()
    assert isinstance(await settled(task), asyncio.CancelledError)
    assert not seen
    assert await existing(xen) == before


async def test_a_result_that_another_task_sees_is_kept(xen: aioxen.Context, guest: Configure) -> None:
    creation = xen.domain_create(guest())

    async def wait() -> aioxen.Domain:
        return await creation

    first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    while not creation.done():
        await asyncio.sleep(0)
    first.cancel()
    dom = await second
    assert isinstance(await settled(first), asyncio.CancelledError)
    assert (await dom.info()).domid == dom.domid
    await dom.destroy()


async def test_a_failed_undo_goes_to_the_exception_handler(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str]
) -> None:
    reports: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
    creation = xen.domain_create(guest())
    fd = fileno(xen)
    asyncio.get_running_loop().remove_reader(fd)
    while not xen.counters().events:
        await asyncio.sleep(0.001)
        step(xen)
    sim("fault", "add", "domctl.destroydomain:1:EPERM")
    creation.cancel()
    asyncio.get_running_loop().add_reader(fd, xen._deliver_events)
    assert isinstance(await settled(creation), asyncio.CancelledError)
    sim("fault", "clear")
    assert [type(context["exception"]).__mro__[1] for context in reports] == [aioxen.Error]
    await xen.domain_destroy((await existing(xen))[-1])


async def test_a_failed_task_group_undoes_its_creations(xen: aioxen.Context, guest: Configure) -> None:
    before = await existing(xen)

    async def create(i: int) -> None:
        await xen.domain_create(guest(name=f"group{i}"))

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            for i in range(4):
                group.create_task(create(i))
            group.create_task(fail())
    left = set(await existing(xen)) - set(before)
    for domid in left:  # The tasks of these domains had received their results before the failure.
        await xen.domain_destroy(domid)


def fileno(xen: aioxen.Context) -> int:
    from aioxen._native import lib

    fd: int = lib.libxl_ctx_fd(xen._c)
    return fd


def step(xen: aioxen.Context) -> None:
    """Lets the library process its event sources. No event is taken from the library's queue."""
    from aioxen._native import lib

    lib.libxl_ctx_process(xen._c)


# Time limits of operations


async def test_a_limit(xen: aioxen.Context) -> None:
    began = time.monotonic()
    with pytest.raises(aioxen.TimedOutError) as raised:
        await xen.domain_wait_shutdown(0, timeout=0.1)
    assert 0.1 <= time.monotonic() - began < 5
    assert isinstance(raised.value, TimeoutError)
    assert (raised.value.operation, raised.value.domid, raised.value.rc) == ("domain_wait_shutdown", 0, -9)


async def test_infinity_is_no_limit(xen: aioxen.Context) -> None:
    waiting = xen.domain_wait_shutdown(0, timeout=math.inf)
    await asyncio.sleep(0.1)
    assert not waiting.done()
    waiting.cancel()
    await settled(waiting)


async def test_a_limit_of_zero(xen: aioxen.Context) -> None:
    with pytest.raises(TimeoutError):
        await xen.domain_wait_shutdown(0, timeout=0)


@pytest.mark.parametrize("limit", [-1, float("nan"), float("-inf"), 1e9, 10**400, "1", [1], True])
async def test_an_invalid_limit_is_refused(xen: aioxen.Context, limit: float) -> None:
    number = isinstance(limit, (int, float)) and limit is not True
    for operation in xen.domain_wait_shutdown, xen.domain_wait_gone:
        with pytest.raises(ValueError if number else TypeError, match="timeout: "):
            operation(0, timeout=limit)


async def test_limit_is_another_name_of_timeout(xen: aioxen.Context) -> None:
    async with asyncio.timeout(scaled(20)):
        for waiting in (
            xen.domain_wait_shutdown(0, limit=0.1),
            xen.domain_wait_shutdown(0, timeout=None, limit=0.1),
            aioxen.Domain(xen, 0, bytes(16)).wait_shutdown(limit=0.1),
        ):
            with pytest.raises(aioxen.TimedOutError):
                await waiting
    unlimited = xen.domain_wait_shutdown(0, timeout=0.001, limit=None)
    await asyncio.sleep(0.05)
    assert not unlimited.done()
    unlimited.cancel()
    await settled(unlimited)


async def test_a_limit_that_is_not_reached(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest(), timeout=60)
    await dom.destroy(timeout=60)


async def test_a_limited_creation_leaves_nothing(xen: aioxen.Context, guest: Configure) -> None:
    before = await existing(xen)
    error = await settled(xen.domain_create(guest(memory="256M"), timeout=0.001))
    assert isinstance(error, aioxen.TimedOutError)
    assert await existing(xen) == before


# Ways to await operations


async def test_asyncios_functions(xen: aioxen.Context) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await xen.domain_wait_shutdown(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(xen.domain_wait_shutdown(0), 0.05)
    inner = xen.domain_wait_shutdown(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(inner), 0.05)
    assert not inner.done()
    both: list[asyncio.Task[Any]] = [
        asyncio.create_task(xen.domain_wait_shutdown(0)),
        asyncio.create_task(xen.domain_wait_gone(32000)),
    ]
    done, pending = await asyncio.wait(both, return_when="FIRST_COMPLETED")
    assert (done, pending) == ({both[1]}, {both[0]})
    both[0].cancel()
    assert isinstance(await settled(both[0]), asyncio.CancelledError)
    gathered = asyncio.gather(inner, xen.domain_wait_shutdown(0))
    gathered.cancel()
    assert isinstance(await settled(gathered), asyncio.CancelledError)
    assert inner.cancelled()


async def test_instant_operations_are_done_when_they_return(xen: aioxen.Context) -> None:
    listing = xen.domain_list()
    assert listing.done()
    assert isinstance(listing, Operation)
    assert not listing.cancel()
    assert listing.result()[0].domid == 0
    failed = xen.domain_pause(32000)
    assert isinstance(failed.exception(), aioxen.DomainNotFoundError)
    assert await asyncio.gather(xen.domain_list(), xen.host_info())


async def test_only_the_library_ends_an_operation(xen: aioxen.Context) -> None:
    waiting = xen.domain_wait_shutdown(0)
    with pytest.raises(RuntimeError):
        waiting.set_result(aioxen.ShutdownReason.CRASH)
    with pytest.raises(RuntimeError):
        waiting.set_exception(ZeroDivisionError())
    waiting.cancel()
    await settled(waiting)


async def test_a_failure_that_nobody_awaits_is_logged(
    xen: aioxen.Context, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "asyncio"):
        operation = xen.domain_get_name(32000)
        while not operation.done():
            await asyncio.sleep(0.001)
        del operation
        gc.collect()
    assert "exception was never retrieved" in caplog.text


async def test_an_operation_without_references_continues(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    dom.destroy()
    gc.collect()
    while xen.counters().operations:
        await asyncio.sleep(0.001)
    assert isinstance(await settled(dom.info()), aioxen.DomainNotFoundError)


async def test_garbage_collection_at_every_allocation(xen: aioxen.Context) -> None:
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        waiting = [xen.domain_wait_shutdown(0) for _ in range(50)]
        names = [xen.domain_get_name(0) for _ in range(50)]
        for operation in waiting[::2]:
            operation.cancel()
        del waiting
        assert await asyncio.gather(*names) == ["Domain-0"] * 50
    finally:
        gc.set_threshold(*thresholds)


def test_cancelled_by_the_end_of_the_loop(hypervisor: None, guest: Configure) -> None:
    """At its end, asyncio.run() cancels the tasks that still run."""

    async def create(xen: aioxen.Context) -> None:
        async with xen:
            await xen.domain_create(guest(memory="256M"))

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(create(aioxen.Context()))
        await asyncio.sleep(0.001)
        return task

    before = asyncio.run(domids())
    task = asyncio.run(main())
    left = set(asyncio.run(domids())) - set(before)
    assert task.cancelled()
    assert not left
