# SPDX-License-Identifier: LGPL-2.1-or-later
"""Closing a context. The tests close contexts with operations in progress, after the end of the loop, by
garbage collection, in threads and after a fork."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor

import aioxen
import pytest
from aioxen._native import lib
from limits import scaled
from worldly import Configure, descriptors, domids, ended, threads

pytestmark = pytest.mark.usefixtures("hypervisor")


def script(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs a separate Python program."""
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=scaled(60),
    )


async def test_closing_stops_all_operations(guest: Configure) -> None:
    before = await domids()
    async with aioxen.Context() as xen:
        waiting = [xen.domain_wait_shutdown(0) for _ in range(10)]
        creating = [xen.domain_create(guest(memory="256M", name=f"closing{i}")) for i in range(3)]
        await asyncio.sleep(0.001)
    for operation in waiting:
        error = operation.exception()
        assert isinstance(error, aioxen.ClosedError)
        assert (error.operation, error.domid) == ("domain_wait_shutdown", 0)
    for creation in creating:
        assert isinstance(creation.exception(), aioxen.ClosedError)
    counters = xen.counters()
    assert (counters.operations_started, counters.operations) == (counters.operations_completed, 0)
    assert await domids() == before


async def test_closing_several_times_at_once() -> None:
    xen = aioxen.Context()
    waiting = xen.domain_wait_shutdown(0)
    await asyncio.gather(xen.aclose(), xen.aclose(), xen.aclose())
    assert isinstance(waiting.exception(), aioxen.ClosedError)
    await xen.aclose()
    assert xen.closed


async def test_use_after_the_end() -> None:
    xen = aioxen.Context()
    await xen.aclose()
    uses: list[Callable[[], object]] = [xen.domain_list, xen.events, lambda: xen.domain_destroy(1)]
    for use in uses:
        with pytest.raises(aioxen.ClosedError):
            use()
    with pytest.raises(aioxen.ClosedError):
        await xen.__aenter__()


async def test_a_cancelled_aclose_completes_and_then_raises() -> None:
    xen = aioxen.Context()
    xen.domain_wait_shutdown(0).add_done_callback(lambda operation: operation.exception())
    closing = asyncio.create_task(xen.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert xen.closed


async def test_a_cancelled_operation_is_cancelled_when_the_context_closes() -> None:
    async with aioxen.Context() as xen:
        waiting = xen.domain_wait_shutdown(0)
        waiting.cancel()
    assert waiting.cancelled()


async def test_closing_does_not_hold_the_loop(guest: Configure, sim: Callable[..., str]) -> None:
    """aclose() waits in a thread for a destruction that hangs in the hypervisor. The loop continues to
    run."""
    xen = aioxen.Context()
    dom = await xen.domain_create(guest())
    sim("fault", "add", "domctl.destroydomain:1:300ms")
    destroying = dom.destroy()
    await asyncio.sleep(0.05)
    destroying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await destroying
    turns = 0
    closing = asyncio.create_task(xen.aclose())
    while not closing.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert turns > 2  # The loop runs while the hypervisor delays the destruction.
    while dom.domid in await domids():
        await asyncio.sleep(0.01)


async def test_many_contexts() -> None:
    contexts = [aioxen.Context() for _ in range(20)]
    lists = await asyncio.gather(*[xen.domain_list() for xen in contexts])
    assert all(listed[0].domid == 0 for listed in lists)
    await asyncio.gather(*[xen.aclose() for xen in contexts])


def test_a_context_without_a_loop() -> None:
    xen = aioxen.Context()
    with pytest.raises(RuntimeError, match="no running event loop"):
        xen.domain_list()
    asyncio.run(xen.aclose())


def test_a_context_is_closed_by_its_loop_or_after_it() -> None:
    xen = aioxen.Context()
    loop = asyncio.new_event_loop()

    async def start() -> tuple[object, ...]:
        events = xen.events(0)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        return xen.domain_wait_shutdown(0), events, waiting

    left = loop.run_until_complete(start())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(xen.aclose())
    assert not xen.closed
    loop.close()
    asyncio.run(xen.aclose())
    assert xen.closed
    assert left


def test_another_loop_is_refused_while_the_first_exists() -> None:
    xen = aioxen.Context()
    loop = asyncio.new_event_loop()
    first = loop.run_until_complete(enter(xen))

    for use in enter, subscribe:
        with pytest.raises(RuntimeError, match="another event loop"):
            asyncio.run(use(xen))
        with ThreadPoolExecutor() as pool, pytest.raises(RuntimeError, match="another event loop"):
            pool.submit(run, use, xen).result()
    assert loop.run_until_complete(enter(xen)) == first  # The first loop still owns the context.
    loop.run_until_complete(xen.aclose())
    loop.close()


def test_a_context_moves_to_another_loop_when_its_loop_is_closed() -> None:
    xen = aioxen.Context()
    assert asyncio.run(enter(xen)) == asyncio.run(enter(xen))
    asyncio.run(xen.aclose())


def test_operations_of_a_closed_loop_refuse_another_loop() -> None:
    xen = aioxen.Context()

    async def leave() -> None:
        xen.domain_wait_shutdown(0)

    asyncio.run(leave())
    for use in enter, subscribe:
        with pytest.raises(RuntimeError, match="closed before <Operation domain_wait_shutdown domid=0"):
            asyncio.run(use(xen))
    asyncio.run(xen.aclose())
    assert xen.closed


def run(use: Callable[[aioxen.Context], Coroutine[None, None, object]], xen: aioxen.Context) -> object:
    return asyncio.run(use(xen))


async def enter(xen: aioxen.Context) -> object:
    await xen.__aenter__()
    return await xen.domain_get_name(0)


async def subscribe(xen: aioxen.Context) -> object:
    return await xen.events().aclose()  # type: ignore[func-returns-value]


def test_awaiting_in_another_loop_raises(guest: Configure) -> None:
    xen = aioxen.Context()

    async def operation() -> str:
        return await xen.domain_get_name(0)

    async def event() -> object:
        return await anext(xen.events(types=[aioxen.DomainGone]))

    async def creation() -> aioxen.Domain:
        return await xen.domain_create(guest())

    async def within(use: Callable[[], Coroutine[None, None, object]]) -> object:
        return await asyncio.wait_for(use(), 10)

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(operation()) == "Domain-0"
    with pytest.raises(RuntimeError, match="different loop"):
        asyncio.run(within(operation))
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(within(event))
    started = xen.counters().operations_started
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(within(creation))
    assert xen.counters().operations_started == started
    # Code that runs outside the loop starts this operation.
    made = loop.run_until_complete(xen.domain_create(guest()))
    loop.run_until_complete(made.destroy())
    loop.run_until_complete(xen.aclose())
    loop.close()


def test_a_forgotten_context_is_freed_with_a_warning() -> None:
    before = descriptors(), threads()
    with pytest.warns(ResourceWarning, match="Context was not closed"):
        aioxen.Context()
        gc.collect()

    async def forget() -> None:
        xen = aioxen.Context()
        xen.domain_wait_shutdown(0).add_done_callback(print)
        await xen.domain_get_name(0)

    with pytest.warns(ResourceWarning, match="Context was not closed"):
        asyncio.run(forget())
        gc.collect()
    for _ in range(2000):  # A thread frees the second context, which is busy.
        if (descriptors(), threads()) == before:
            break
        time.sleep(0.01)
    assert (descriptors(), threads()) == before


def test_collecting_a_busy_context_does_not_wait(guest: Configure, sim: Callable[..., str]) -> None:
    """xenstored does not answer, so freeing the context takes a second."""

    async def forget() -> None:
        aioxen.Context().domain_create(guest())
        await asyncio.sleep(0.01)

    sim("xenstored", "stop")
    try:
        with pytest.warns(ResourceWarning, match="Context was not closed"):
            asyncio.run(forget())
            gc.collect()
        freeing = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
        assert len(freeing) == 1
    finally:
        sim("xenstored", "cont")
    freeing[0].join()


def test_objects_that_are_garbage_with_a_context_do_not_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects must not use the context during garbage collection, nor at the end of the interpreter."""
    # The C library fills freed memory. So the test notices a use of freed memory.
    monkeypatch.setenv("MALLOC_PERTURB_", "165")
    done = script("""
        import asyncio, gc, aioxen

        async def wait(xen):
            operation = xen.domain_wait_shutdown(0)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                operation.cancel()

        async def forget():
            xen = aioxen.Context()
            waiting = wait(xen)
            waiting.send(None)
            held = [xen, waiting, xen.events()]
            held.append(held)

        async def leave():
            global left
            left = [xen, xen.events(), wait(xen)]
            left[2].send(None)

        asyncio.run(forget())
        gc.collect()
        xen = aioxen.Context()
        asyncio.run(leave())
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_an_undo_after_closing_raises(xen: aioxen.Context, guest: Configure) -> None:
    other = aioxen.Context()
    creation = other.domain_create(guest())
    waiting = creation.__await__()
    waiting.send(None)
    await ended(creation)
    await other.aclose()
    with pytest.raises(aioxen.ClosedError):
        waiting.throw(asyncio.CancelledError)
    await xen.domain_destroy(creation.result())


def test_a_loop_in_another_thread() -> None:
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(domids())))
    thread.start()
    thread.join()
    assert found == [asyncio.run(domids())]


def test_the_interpreters_end(guest: Configure, kernel: object) -> None:
    """A program that exits with operations in progress leaves no domain and does not crash."""
    before = asyncio.run(domids())
    done = script(f"""
        import asyncio, sys, aioxen
        async def main():
            global xen, operations
            xen = aioxen.Context()
            config = aioxen.pv("end", {str(kernel)!r}, memory="256M")
            operations = [xen.domain_wait_shutdown(0), xen.domain_create(config)]
            await asyncio.sleep(0)
            sys.exit(3)
        asyncio.run(main())
    """)
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert asyncio.run(domids()) == before


async def test_a_forked_child_cannot_use_the_context() -> None:
    async with aioxen.Context() as xen:
        waiting = xen.domain_wait_shutdown(0)
        events = xen.events()
        await xen.domain_get_name(0)
        fd = lib.libxl_ctx_fd(xen._c)
        child = os.fork()
        if child == 0:
            try:
                assert xen.closed
                with pytest.raises(OSError, match="Bad file descriptor"):
                    os.fstat(fd)
                with pytest.raises(aioxen.ClosedError):
                    xen.domain_list()
                with pytest.raises(aioxen.ClosedError):
                    xen.events()
                assert xen.counters().operations == 0
                del events
                gc.collect()
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert await xen.domain_get_name(0) == "Domain-0"
        assert not waiting.done()
        waiting.cancel()
        await events.aclose()


async def test_counters_count(guest: Configure) -> None:
    async with aioxen.Context() as xen:
        assert xen.counters().operations_started == 0
        waiting = xen.domain_wait_shutdown(0)
        events = xen.events()
        counters = xen.counters()
        assert (counters.operations_started, counters.operations, counters.evgens) == (1, 1, 1)
        waiting.cancel()
        await events.aclose()
        await ended(waiting)
        counters = xen.counters()
        assert (counters.operations_completed, counters.operations_aborted, counters.evgens) == (1, 1, 0)
