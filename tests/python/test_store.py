# SPDX-License-Identifier: LGPL-2.1-or-later
"""xen.store: nodes, transactions, watches and waits. The results are compared with xenstore-read,
xenstore-list, xenstore-ls and xenstore-watch."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count

import aioxen
import pytest
from aioxen import EventsLost, StoreAccess, StoreChanged, StorePermission, StorePermissions
from aioxen.store import ChangeQueue, Store, StoreWatch
from aioxen.transaction import Transaction
from aioxen.types import StoreChangesLost
from limits import scaled
from worldly import ROOT, Configure, remove_node, write_node

NUMBERS = count()


@pytest.fixture
def base(hypervisor: None) -> Iterator[str]:
    """The path of a node that exists during the test."""
    path = f"/tool/test-store-{next(NUMBERS)}"
    write_node(path, "")
    yield path
    remove_node(path)


def tool(*arguments: str) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=scaled(30)).stdout


async def next_path(watch: StoreWatch) -> str:
    change = await asyncio.wait_for(anext(watch), scaled(10))
    assert isinstance(change, StoreChanged)
    return change.path


# Nodes


async def test_values_and_names_are_those_of_xenstores_tools(xen: aioxen.Context, base: str) -> None:
    store = xen.store
    await asyncio.gather(*(store.write(f"{base}/{name}", name.upper()) for name in ("b", "a", "c/d")))
    assert tool("xenstore-read", f"{base}/a").rstrip("\n") == "A" == await store.read(f"{base}/a")
    assert tool("xenstore-list", base).split() == await store.list(base)
    listed = [line.split(" = ") for line in tool("xenstore-ls", "-f", base).splitlines()]
    walked = [(path, f'"{value}"') async for path, value in store.walk(base)]
    assert walked == [(base, '""'), *((path, value) for path, value in listed)]
    await store.remove(f"{base}/c")
    assert tool("xenstore-list", base).split() == ["b", "a"] == await store.list(base)


async def test_text_and_octets(xen: aioxen.Context, base: str) -> None:
    for value in "", "é\n", "a\0b", "\udcff":
        await xen.store.write(base, value)
        assert await xen.store.read(base) == value
        assert await xen.store.read_bytes(base) == value.encode("utf-8", "surrogateescape")
    await xen.store.write(base, bytes(range(256)))
    assert await xen.store.read_bytes(base) == bytes(range(256))
    with pytest.raises(TypeError, match="value: bytes is expected, not 1"):
        xen.store.write(base, 1)  # type: ignore[arg-type]


async def test_a_missing_node(xen: aioxen.Context, base: str) -> None:
    missing = f"{base}/missing"
    for method in xen.store.read, xen.store.list, xen.store.permissions:
        with pytest.raises(aioxen.NotFoundError, match=f"there is no node '{missing}'"):
            await method(missing)  # type: ignore[misc]
    assert await xen.store.get(missing) is None
    assert await xen.store.get(missing, "default") == "default"
    await xen.store.remove(missing)
    with pytest.raises(aioxen.NotFoundError):
        [entry async for entry in xen.store.walk(missing)]


async def test_a_wrong_path(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.InvalidError, match="'/a//b' has an empty name"):
        await xen.store.read("/a//b")
    with pytest.raises(ValueError, match="path: a NUL character"):
        xen.store.read("/a\0")
    with pytest.raises(aioxen.InvalidError, match="'/a//b' has an empty name"):
        xen.store.watch("/a//b")
    with pytest.raises(aioxen.InvalidError, match="xenstored refuses to watch"):
        [change async for change in xen.store.watch("/tool/" + "a" * 2100)]


async def test_a_relative_path_is_in_this_domain(xen: aioxen.Context, base: str) -> None:
    assert await xen.store.read("name") == await xen.store.read("/local/domain/0/name")


async def test_permissions(xen: aioxen.Context, base: str) -> None:
    given = StorePermissions(0, StoreAccess.READ, [StorePermission(0, StoreAccess.READ | StoreAccess.WRITE)])
    await xen.store.write(f"{base}/a", "x", given)
    assert await xen.store.permissions(f"{base}/a") == given
    await xen.store.set_permissions(f"{base}/a", StorePermissions())
    assert await xen.store.permissions(f"{base}/a") == StorePermissions()


async def test_walk_reads_wide_and_deep_trees(xen: aioxen.Context, base: str) -> None:
    paths = [base, *(f"{base}/{i:04}" for i in range(600))]
    paths += ["/".join([paths[-1], *"abcdefgh"[:depth]]) for depth in range(1, 9)]
    await asyncio.gather(*(xen.store.write(path, "") for path in paths))
    assert [path async for path, _ in xen.store.walk(base)] == paths
    async for path, _ in (walk := xen.store.walk(base)):
        if path == paths[10]:
            break
    await walk.aclose()  # The reads that were started are cancelled.


# Transactions


async def test_a_transaction_sees_its_changes(xen: aioxen.Context, base: str) -> None:
    await asyncio.gather(xen.store.write(f"{base}/a", "1"), xen.store.write(f"{base}/b/c", "2"))
    async with xen.store.transaction() as t:
        assert await t.list(base) == ["a", "b"] or await t.list(base) == ["b", "a"]
        assert (await t.read(f"{base}/a"), await t.get(f"{base}/new")) == ("1", None)
        t.write(f"{base}/new/below", "3")
        t.remove(f"{base}/b")
        assert sorted(await t.list(base)) == ["a", "new"]
        assert (await t.read(f"{base}/new"), await t.list(f"{base}/new")) == ("", ["below"])
        assert await t.get(f"{base}/b/c") is None
        with pytest.raises(aioxen.NotFoundError):
            await t.list(f"{base}/b")
        t.write(f"{base}/b/d", b"4", StorePermissions(0, StoreAccess.READ))
        assert await t.list(f"{base}/b") == ["d"]
        assert await xen.store.list(f"{base}/b") == ["c"]  # Nothing is changed before the commit.
    assert await xen.store.list(f"{base}/b") == ["d"]
    assert await xen.store.read(f"{base}/new/below") == "3"
    assert (await xen.store.permissions(f"{base}/b/d")).others == StoreAccess.READ
    with pytest.raises(RuntimeError, match="the transaction has ended"):
        t.write(base, "")


@pytest.mark.parametrize(
    ("reads", "changed"),
    [("a", "a"), ("missing", "missing"), ("list", "missing"), ("list of missing", "missing/b")],
)
async def test_a_change_of_what_was_read_is_a_conflict(
    xen: aioxen.Context, base: str, reads: str, changed: str
) -> None:
    await xen.store.write(f"{base}/a", "1")
    with pytest.raises(aioxen.ConflictError, match=base):
        async with xen.store.transaction() as t:
            if reads == "list":
                await t.list(base)
            elif reads == "list of missing":
                with pytest.raises(aioxen.NotFoundError):
                    await t.list(f"{base}/missing")
            else:
                await t.get(f"{base}/{reads}")
            write_node(f"{base}/{changed}", "changed")
            t.write(f"{base}/result", "")
    assert await xen.store.get(f"{base}/result") is None


async def test_an_exception_changes_nothing(xen: aioxen.Context, base: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with xen.store.transaction() as t:
            t.write(f"{base}/a", "1")
            raise ZeroDivisionError
    assert await xen.store.list(base) == []


async def test_transact_counts_without_losses(xen: aioxen.Context, base: str) -> None:
    await xen.store.write(base, "0")

    async def add(t: Transaction) -> int:
        number = int(await t.read(base)) + 1
        t.write(base, str(number))
        return number

    numbers = await asyncio.gather(*(xen.store.transact(add, attempts=1000) for _ in range(10)))
    assert sorted(numbers) == list(range(1, 11))
    assert await xen.store.read(base) == "10"


async def test_transact_gives_up(xen: aioxen.Context, base: str) -> None:
    runs = 0

    async def disturbed(t: Transaction) -> None:
        nonlocal runs
        runs += 1
        await t.read(base)
        write_node(base, str(runs))
        t.write(f"{base}/result", "")

    with pytest.raises(aioxen.ConflictError):
        await xen.store.transact(disturbed, attempts=3)
    assert runs == 3

    async def endless(t: Transaction) -> None:
        await asyncio.Event().wait()

    with pytest.raises(aioxen.TimedOutError):
        await xen.store.transact(endless, timeout=0.01)


async def test_transact_repeats_a_function_that_saw_two_states(xen: aioxen.Context, base: str) -> None:
    await asyncio.gather(xen.store.write(f"{base}/list/a", "1"), xen.store.write(f"{base}/x", "1"))

    async def read_all(t: Transaction) -> list[str]:
        names = await t.list(f"{base}/list")
        if names == ["a"]:
            write_node(f"{base}/list/b", "2")
            remove_node(f"{base}/list/a")
        return [await t.read(f"{base}/list/{name}") for name in names]

    assert await xen.store.transact(read_all) == ["2"]
    runs = 0

    async def wrong(t: Transaction) -> None:
        nonlocal runs
        runs += 1
        raise ZeroDivisionError(await t.read(f"{base}/x"))

    with pytest.raises(ZeroDivisionError):  # No node has changed, so this error is not caused by a conflict.
        await xen.store.transact(wrong)
    assert runs == 1


# Watches


async def test_a_watch_reports_what_xenstore_watch_reports(xen: aioxen.Context, base: str) -> None:
    process = await asyncio.create_subprocess_exec("xenstore-watch", base, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with xen.store.watch(base) as watch:
        theirs = [(await process.stdout.readline()).decode().strip()]
        ours = [await next_path(watch)]
        for path in f"{base}/a", f"{base}/b/c", f"{base}/a":
            write_node(path, "x")
            ours.append(await next_path(watch))
            theirs.append((await process.stdout.readline()).decode().strip())
    process.kill()
    await process.wait()
    assert ours == theirs == [base, f"{base}/a", f"{base}/b/c", f"{base}/a"]
    assert xen.counters().evgens == 0


async def test_a_slow_reader_gets_each_path_once(xen: aioxen.Context, base: str) -> None:
    async with xen.store.watch(base, capacity=3) as watch:
        assert await next_path(watch) == base
        for name in "abababcdef":
            await xen.store.write(f"{base}/{name}", "")
        await xen.store.read(base)
        assert [await next_path(watch) for _ in range(3)] == [f"{base}/{name}" for name in "abc"]
        assert await anext(watch) == EventsLost(3)
        await xen.store.write(f"{base}/a", "")
        assert await next_path(watch) == f"{base}/a"


def changed(path: str) -> StoreChanged:
    event: StoreChanged = StoreChanged.__new__(StoreChanged)
    event.path = path
    return event


def test_the_queue_of_changes() -> None:
    queue = ChangeQueue(2)
    lost: StoreChangesLost = StoreChangesLost.__new__(StoreChangesLost)
    lost.dropped, lost.rc = 0, 0
    for path in "a", "b", "a", "c", "d":
        queue.put(changed(path))
    queue.put(lost)
    seen = []
    while (item := queue.get()) is not None:
        seen.append(item.path if isinstance(item, StoreChanged) else item)
    assert seen == ["a", "b", EventsLost(2)]
    queue.put(changed("a"))
    assert isinstance(queue.get(), StoreChanged)


async def test_many_watches(xen: aioxen.Context, base: str) -> None:
    watches = [xen.store.watch(f"{base}/{i}") for i in range(100)]
    assert [await next_path(watch) for watch in watches] == [watch.path for watch in watches]
    await xen.store.write(f"{base}/57/x", "")
    assert await next_path(watches[57]) == f"{base}/57/x"
    for watch in watches:
        await watch.aclose()
    assert xen.counters().evgens == 0


async def test_a_closed_context_ends_watches_and_waits(base: str) -> None:
    xen = aioxen.Context()
    async with xen:
        watch = xen.store.watch(base)
        waiting = asyncio.create_task(xen.store.wait(f"{base}/never"))
        assert await next_path(watch) == base
        await xen.store.read(base)
    assert [change async for change in watch] == []
    with pytest.raises(aioxen.ClosedError):
        await waiting


# Waits


async def test_wait(xen: aioxen.Context, base: str) -> None:
    state = f"{base}/state"
    waiting = asyncio.create_task(xen.store.wait(state, timeout=scaled(10)))
    connected = asyncio.create_task(xen.store.wait(state, lambda value: value == "4", timeout=scaled(10)))
    await xen.store.read(base)
    write_node(state, "1")
    assert await waiting == "1"
    assert not connected.done()
    write_node(state, "4")
    assert await connected == "4"
    assert await xen.store.wait(state, lambda value: value == "4") == "4"
    gone = asyncio.create_task(xen.store.wait(state, lambda value: value is None, timeout=scaled(10)))
    remove_node(state)
    assert await gone is None
    with pytest.raises(aioxen.TimedOutError, match=r"not done within 0\.01 s"):
        await xen.store.wait(state, timeout=0.01)
    with pytest.raises(ZeroDivisionError):
        await xen.store.wait(base, lambda value: 1 / 0)


async def test_a_wait_for_a_guest_that_writes_all_the_time(xen: aioxen.Context, base: str) -> None:
    """The nodes below a node change all the time. The wait reads the node a bounded number of times, and
    finds its new value."""
    stop = False

    async def write() -> None:
        while not stop:
            await asyncio.gather(*(xen.store.write(f"{base}/busy/{i % 7}", str(i)) for i in range(200)))

    writer = asyncio.create_task(write())
    waiting = asyncio.create_task(xen.store.wait(f"{base}/busy", lambda value: value == "end"))
    await asyncio.sleep(0.05)
    await xen.store.write(f"{base}/busy", "end")
    assert await asyncio.wait_for(waiting, scaled(10)) == "end"
    stop = True
    await writer


# The example program


async def test_the_example_waits_for_agents(xen: aioxen.Context, guest: Configure) -> None:
    doms = await asyncio.gather(*(xen.domain_create(guest("b", name=f"agent{i}")) for i in range(2)))
    for dom in doms:
        await dom.unpause()
    example = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "examples/agent.py", "--timeout", str(scaled(20)),
        "data/ready", "agent0", "agent1",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert example.stdout is not None
    await xen.store.write(f"/local/domain/{doms[0].domid}/data/ready", "yes\x1b")
    assert await asyncio.wait_for(example.stdout.readline(), scaled(20)) == b"agent0 yes\\x1b\n"
    await doms[1].destroy()
    _, said = await example.communicate()
    assert example.returncode == 1
    assert said == b"agent1: the domain is gone\n"
    await doms[0].destroy()


# xenstored ends


async def answers(store: Store) -> bool:
    try:
        await store.list("/")
    except aioxen.NoXenstoreError:
        await asyncio.sleep(0.01)
        return False
    return True


async def test_a_watch_and_a_wait_survive_the_end_of_xenstored(
    xen: aioxen.Context, sim: Callable[..., str]
) -> None:
    path = "/tool/test-store-restart"
    waiting = asyncio.create_task(xen.store.wait(path, lambda value: value == "new", timeout=scaled(20)))
    async with xen.store.watch(path) as watch:
        assert await next_path(watch) == path
        sim("xenstored", "kill")
        with pytest.raises(aioxen.NoXenstoreError):
            await xen.store.read("/")
        sim("xenstored", "start")
        assert await asyncio.wait_for(anext(watch), scaled(10)) == EventsLost(0)
        assert await next_path(watch) == path
        while not await answers(xen.store):
            pass
        await xen.store.write(path, "new")
        assert await next_path(watch) == path
        assert await waiting == "new"
    await xen.store.remove(path)
