# SPDX-License-Identifier: LGPL-2.1-or-later
"""Contexts for trio, and programs for anyio, which run with asyncio and with trio."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aioxen
import aioxen.trio
import anyio
import pytest
import sniffio
import trio
import trio.testing
from aioxen._native import lib
from worldly import Configure, threads

pytestmark = pytest.mark.usefixtures("hypervisor")

Start = Callable[..., Awaitable[object]]


@pytest.fixture(autouse=True)
def _trio_alone(_nothing_left: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes the use of asyncio's loop an error. Waits until trio's threads have ended, which otherwise live
    for ten seconds without work."""
    monkeypatch.setattr(asyncio, "get_running_loop", None)
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.01)
    before = threads()
    yield
    while threads() > before:
        time.sleep(0.001)


def run(main: Callable[[aioxen.Context], Awaitable[None]]) -> aioxen.Counters:
    """Runs a test in trio, and checks that the context is idle at the end."""

    async def in_context() -> aioxen.Counters:
        async with aioxen.trio.Context() as xen:
            with trio.fail_after(60):
                await main(xen)
            left = await existing(xen)
        assert left == [0]
        return xen.counters()

    counters: aioxen.Counters = trio.run(in_context)
    assert (counters.operations, counters.events) == (0, 0)
    return counters


async def existing(xen: aioxen.Context) -> list[int]:
    return [info.domid for info in await xen.domain_list()]


def test_a_view_of_the_domains(guest: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a loss of events, the view lists the domains again, in slices."""
    monkeypatch.setattr("aioxen.domains.SLICE", 1)

    async def main(xen: aioxen.Context) -> None:
        async with xen.domains.live() as view:
            async with xen.domain_create(guest()) as dom:
                assert await xen.domain(dom.domid) in [each async for each in xen.domains]
                while dom.domid not in view:
                    await view.changed()
                assert view._events is not None
                del view._statuses[dom.domid]
                view._events._put(aioxen.DomainEventsLost(0, dom.uuid))
                while dom.domid not in view:
                    await view.changed()
            while dom.domid in view:
                await view.changed()

    run(main)


def test_a_guest_from_creation_until_it_is_gone(guest: Configure) -> None:
    async def main(xen: aioxen.Context) -> None:
        told: list[str] = []
        dom = await xen.domain_create(guest("l"), progress=lambda event: told.append(type(event).__name__))
        assert "OperationProgress" in told
        events = xen.events(dom)
        await dom.unpause()
        assert await dom.shutdown(timeout=30) is aioxen.ShutdownReason.POWEROFF
        await dom.destroy()
        seen = [type(event).__name__ async for event in events]
        assert seen == ["DomainShutdown", "DomainDying", "DomainGone"]

    run(main)


def test_nurseries_run_operations(guest: Configure) -> None:
    async def main(xen: aioxen.Context) -> None:
        domains: list[aioxen.Domain] = []

        async def create(n: int) -> None:
            domains.append(await xen.domain_create(guest(name=f"trio{n}")))

        async with trio.open_nursery() as nursery:
            for n in range(5):
                nursery.start_soon(create, n)
        async with trio.open_nursery() as nursery:
            for dom in domains:
                nursery.start_soon(dom.destroy)
                nursery.start_soon(dom.wait_gone)
                nursery.start_soon(xen.domain_unpause, dom)
        assert len(domains) == 5

    run(main)


def test_errors_are_raised_where_the_operation_is_awaited() -> None:
    async def main(xen: aioxen.Context) -> None:
        starts: list[Start] = [xen.domain_pause, xen.domain_get_name, xen.domain_destroy]
        for start in starts:
            with pytest.raises(aioxen.DomainNotFoundError):
                await start(31_999)
        with pytest.raises(aioxen.TimedOutError):
            await xen.domain_wait_shutdown(0, timeout=0.01)

    run(main)


def test_a_cancelled_scope_ends_an_operation(guest: Configure) -> None:
    async def main(xen: aioxen.Context) -> None:
        with trio.move_on_after(0.05) as scope:
            await xen.domain_wait_shutdown(0)
        assert scope.cancelled_caught
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.05):
            await xen.domain_wait_shutdown(0)
        assert xen._live_operations() == []

    assert run(main).operations_aborted == 2


@pytest.mark.parametrize("delay", [0, 0.001, 0.005, 0.02, 0.1])
def test_a_cancelled_creation_leaves_nothing_or_returns_its_domain(guest: Configure, delay: float) -> None:
    async def main(xen: aioxen.Context) -> None:
        dom = None
        with trio.move_on_after(delay) as scope:
            dom = await xen.domain_create(guest())
        if dom is None:
            assert scope.cancelled_caught
            assert xen._live_operations() == []
            assert await existing(xen) == [0]
        else:
            await dom.destroy()

    run(main)


def test_an_operation_that_wins_returns_its_value(guest: Configure) -> None:
    """The scope is cancelled after the C operation has succeeded, and before its completion is delivered."""

    async def main(xen: aioxen.Context) -> None:
        assert xen._loop is not None
        fd = lib.libxl_ctx_fd(xen._c)
        xen._loop.remove_reader(fd)
        creation = xen.domain_create(guest())
        while not xen.counters().events:
            await trio.sleep(0.001)
            lib.libxl_ctx_process(xen._c)
        with trio.CancelScope() as scope:
            scope.cancel()
            xen._loop.add_reader(fd, xen._deliver_events)
            dom = await creation
        assert not scope.cancelled_caught
        assert await existing(xen) == [0, dom.domid]
        await dom.destroy()

    run(main)


def test_a_block_destroys_its_domain(guest: Configure) -> None:
    async def main(xen: aioxen.Context) -> None:
        async with xen.domain_create(guest()) as dom:
            assert await existing(xen) == [0, dom.domid]
        assert await existing(xen) == [0]
        with trio.CancelScope() as scope:
            async with xen.domain_create(guest()):
                scope.cancel()
                await trio.sleep_forever()
        assert await existing(xen) == [0]

    run(main)


def test_a_domain_that_nobody_takes_is_destroyed(guest: Configure, caplog: pytest.LogCaptureFixture) -> None:
    async def main(xen: aioxen.Context) -> None:
        creation = xen.domain_create(guest())
        while not creation.done():
            await trio.sleep(0.001)
        del creation
        gc.collect()
        while await existing(xen) != [0]:
            await trio.sleep(0.001)
        await (await xen.domain_create(guest(), progress=faulty)).destroy()

    def faulty(_: object) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "aioxen"):
        run(main)
    assert "was never taken" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_each_await_is_a_checkpoint(guest: Configure) -> None:
    async def main(xen: aioxen.Context) -> None:
        async with xen.domain_create(guest()) as dom:
            events = xen.events()
            for domid in 1, 2:
                events._put(aioxen.DomainGone(domid, UUID(int=0)))
            instant: list[Start] = [
                lambda: xen.domain_unpause(dom),
                lambda: xen.domain_get_info(0),
                lambda: events.__anext__(),
            ]
            starts: list[Start] = [*instant, lambda: xen.domain_get_name(0)]
            for start in starts:
                with trio.testing.assert_checkpoints():
                    await start()
            for start in instant:
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await start()
                assert scope.cancelled_caught
            with trio.move_on_after(0.05) as scope:
                while True:
                    await xen.domain_get_info(0)
            assert scope.cancelled_caught
            await events.aclose()

    run(main)


def test_a_shutdown_is_withdrawn(guest: Configure) -> None:
    async def main(xen: aioxen.Context) -> None:
        async with xen.domain_create(guest("b")) as dom:
            await dom.unpause()
            with trio.move_on_after(0.05) as scope:
                await dom.shutdown()
            assert scope.cancelled_caught
            assert xen._live_operations() == []
            assert not (await dom.info()).shutdown

    run(main)


def test_cancel_stops_an_operation_that_another_task_awaits() -> None:
    async def main(xen: aioxen.Context) -> None:
        waiting = xen.domain_wait_shutdown(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.checkpoint)
            nursery.start_soon(_cancel, waiting)
            with pytest.raises(aioxen.AbortedError):
                await waiting
        with pytest.raises(aioxen.AbortedError):
            await waiting

    run(main)


async def _cancel(operation: aioxen.Operation[Any]) -> None:
    operation.cancel()


def test_closing_stops_operations_even_in_a_cancelled_scope(guest: Configure) -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            async with aioxen.trio.Context() as xen:
                creation = xen.domain_create(guest(memory="256M"))
                events = xen.events()
                scope.cancel()
        assert scope.cancelled_caught
        assert isinstance(creation.exception(), aioxen.ClosedError)
        assert [event async for event in events] == []
        with pytest.raises(aioxen.ClosedError):
            xen.domain_list()

    trio.run(main)


def test_a_context_outlives_a_run_that_has_ended(guest: Configure) -> None:
    xen = aioxen.trio.Context()

    async def name() -> str:
        xen.events(capacity=1)
        return await xen.domain_get_name(0)

    assert [trio.run(name), trio.run(name)] == ["Domain-0"] * 2
    trio.run(xen.aclose)


def test_another_run_may_not_use_the_context() -> None:
    async def main(xen: aioxen.Context) -> None:
        waiting = xen.domain_wait_shutdown(0)

        async def elsewhere() -> None:
            uses: list[Start] = [xen.__aenter__, xen.aclose, lambda: waiting]
            for use in uses:
                with pytest.raises(RuntimeError, match="belongs to another"):
                    await use()

        with ThreadPoolExecutor() as pool:
            pool.submit(trio.run, elsewhere).result()
        waiting.cancel()

    run(main)


def test_a_console(guest: Configure, tmp_path: Any) -> None:
    async def main(xen: aioxen.Context) -> None:
        async with xen.domain_create(guest("l")) as dom, dom.console() as console:
            await console.log_to(tmp_path / "log")
            with pytest.raises(TimeoutError):
                await console.expect("never", timeout=0.01)
            await dom.unpause()
            assert await console.readline()
            with trio.move_on_after(0.05) as scope:
                await console.expect("never")
            assert scope.cancelled_caught
            await console.write("input")
            await dom.shutdown()
        assert (tmp_path / "log").read_bytes()

    run(main)


def test_the_store_and_the_list_of_domains(guest: Configure) -> None:
    async def main(xen: aioxen.Context) -> None:
        path = "/tool/aioxen-trio"

        async def write() -> None:
            await xen.store.write(path, "2")

        await xen.store.write(path, "1")
        async with xen.store.watch(path) as changes, trio.open_nursery() as nursery:
            nursery.start_soon(write)
            assert await xen.store.wait(path, lambda value: value == "2") == "2"
            assert (await anext(changes)).path == path  # type: ignore[union-attr]
        with trio.move_on_after(0.05) as scope:
            await xen.store.wait(path, lambda value: value == "3")
        assert scope.cancelled_caught
        await xen.store.remove(path)
        assert [domain.domid async for domain in xen.domains] == [0]

    run(main)


def context() -> aioxen.Context:
    """Returns the context for the async library that runs, as a program for anyio does."""
    return aioxen.trio.Context() if sniffio.current_async_library() == "trio" else aioxen.Context()


@asynccontextmanager
async def guests(xen: aioxen.Context, guest: Configure) -> AsyncIterator[aioxen.Domain]:
    async with xen.domain_create(guest("l")) as dom:
        yield dom


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(guest: Configure, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program for anyio runs with both of its backends."""
    monkeypatch.undo()  # asyncio's loop may be used.

    async def main() -> None:
        async with context() as xen, guests(xen, guest) as dom, anyio.create_task_group() as group:
            group.start_soon(dom.wait_shutdown)
            with anyio.move_on_after(0.05) as scope:
                await dom.wait_shutdown()
            assert scope.cancel_called
            await dom.unpause()
            assert await dom.shutdown() is aioxen.ShutdownReason.POWEROFF
            with anyio.move_on_after(0.001):
                await xen.domain_create(guest(name="second", memory="256M"))
            assert await existing(xen) == [0, dom.domid]

    anyio.run(main, backend=backend)
