# SPDX-License-Identifier: LGPL-2.1-or-later
"""An operation as a coroutine object, and the results of creations that nobody takes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Coroutine
from typing import Any

import aioxen
import pytest
from aioxen.operation import Operation
from worldly import Configure, ended


async def existing(xen: aioxen.Context) -> list[int]:
    return [info.domid for info in await xen.domain_list()]


async def quiet(xen: aioxen.Context) -> None:
    """Waits until no operation is in progress, and all callbacks have run."""
    gc.collect()
    await asyncio.sleep(0)
    while xen.counters().operations:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)


async def test_a_task_runs_an_operation(xen: aioxen.Context, guest: Configure) -> None:
    async with asyncio.TaskGroup() as group:
        name = group.create_task(xen.domain_get_name(0))
        info = group.create_task(xen.host_info())  # This operation completes in the call that starts it.
        creation = group.create_task(xen.domain_create(guest("l")))
    assert (name.result(), info.result().nr_cpus > 0) == ("Domain-0", True)
    dom = creation.result()
    await dom.unpause()
    async with asyncio.TaskGroup() as group:
        reason = group.create_task(dom.shutdown())
    assert reason.result() is aioxen.ShutdownReason.POWEROFF
    await asyncio.create_task(dom.destroy())
    assert isinstance(dom.destroy(), Coroutine)


async def test_a_task_raises_the_operations_error(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.DomainNotFoundError):
        await asyncio.create_task(xen.domain_get_name(31_999))
    with pytest.raises(aioxen.DomainNotFoundError):
        await asyncio.create_task(xen.domain_pause(31_999))


@pytest.mark.parametrize("turns", range(4))
async def test_a_cancelled_task_leaves_no_domain(xen: aioxen.Context, guest: Configure, turns: int) -> None:
    """`turns` is the number of loop iterations before the cancellation. If it is 0, the task has not
    run yet."""
    before = await existing(xen)
    task = asyncio.create_task(xen.domain_create(guest()))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel("why")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await existing(xen) == before


async def test_a_task_that_is_cancelled_after_the_completion(xen: aioxen.Context, guest: Configure) -> None:
    before = await existing(xen)
    creation = xen.domain_create(guest())
    await ended(creation)
    task = asyncio.create_task(creation)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await existing(xen) == before


async def test_closing_the_coroutine_stops_the_operation(xen: aioxen.Context) -> None:
    waiting, running = xen.domain_wait_shutdown(0), xen.domain_wait_shutdown(0)
    running.send(None)
    for operation in waiting, running:
        operation.close()
        await ended(operation)
        assert operation.cancelled()


async def test_a_forgotten_creation_is_undone_and_reported(
    xen: aioxen.Context, guest: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    before = await existing(xen)
    xen.domain_create(guest())
    await quiet(xen)
    await quiet(xen)
    assert await existing(xen) == before
    assert "domain_create was never taken: <Domain " in caplog.text


async def test_a_failed_sibling_leaves_no_domain(
    xen: aioxen.Context, guest: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    before = await existing(xen)
    creation = xen.domain_create(guest())
    await ended(creation)
    with pytest.raises(aioxen.DomainNotFoundError):
        await asyncio.gather(creation, xen.domain_get_name(31_999))
    del creation
    await quiet(xen)
    assert await existing(xen) == before
    assert caplog.text.count("never taken") == 1


@pytest.mark.parametrize("return_exceptions", [False, True])
async def test_a_cancelled_gather_leaves_no_domain(
    xen: aioxen.Context, guest: Configure, return_exceptions: bool
) -> None:
    before = await existing(xen)
    done = xen.domain_create(guest())
    await ended(done)
    both = asyncio.gather(done, xen.domain_create(guest(name="pending")), return_exceptions=return_exceptions)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    del done
    await quiet(xen)
    assert await existing(xen) == before


async def test_a_result_that_was_taken_is_kept(
    xen: aioxen.Context, guest: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    async def first(operations: list[Any]) -> aioxen.Domain:
        domain: aioxen.Domain = await next(asyncio.as_completed(operations))
        return domain

    def create(name: str) -> Operation[aioxen.Domain]:
        return xen.domain_create(guest(name=name))

    domains = [
        await create("awaited"),
        *await asyncio.gather(create("gathered"), create("too")),
        await asyncio.wait_for(create("waited for"), 60),
        await asyncio.shield(create("shielded")),
        await first([create("first")]),
        await asyncio.create_task(create("task")),
    ]
    await quiet(xen)
    assert {d.domid for d in domains} <= set(await existing(xen))
    await asyncio.gather(*[d.destroy() for d in domains])
    assert "never taken" not in caplog.text


async def test_a_block_destroys_its_domain_at_the_end(xen: aioxen.Context, guest: Configure) -> None:
    before = await existing(xen)
    async with xen.domain_create(guest()) as dom:
        assert await existing(xen) == [*before, dom.domid]
    assert await existing(xen) == before
    with contextlib.suppress(ZeroDivisionError):
        async with xen.domain_create(guest()):
            raise ZeroDivisionError
    assert await existing(xen) == before
    async with xen.domain_create(guest()) as dom:
        await dom.destroy()  # The end of the block raises no error, although the domain is gone.


async def test_a_block_that_is_cancelled_destroys_its_domain(xen: aioxen.Context, guest: Configure) -> None:
    before = await existing(xen)

    async def run(inside: asyncio.Event) -> None:
        async with xen.domain_create(guest()):
            inside.set()
            await asyncio.sleep(3600)

    inside = asyncio.Event()
    task = asyncio.create_task(run(inside))
    await asyncio.wait_for(inside.wait(), 60)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # The task is cancelled during the destruction of the domain.
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await existing(xen) == before


async def test_wait_refuses_an_operation_as_any_coroutine(xen: aioxen.Context) -> None:
    with pytest.raises(TypeError, match="coroutines is forbidden"):
        await asyncio.wait([xen.domain_get_name(0)])
