# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tasks that await operations in all ways of asyncio are cancelled at every moment.

After each cancellation no operation, domain, node or device is left, and the loop's exception handler has got
no report.

AIOXEN_SEED=N chooses the random cancellations. The test prints its seed.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import Operation
from aioxen.operation import UndoableOperation
from each_operation import (
    LIMIT,
    MEDIA,
    OPERATIONS,
    POOL,
    SAVING,
    Arguments,
    Guests,
    destroy_received,
    destroy_result,
    prepare,
    quiet,
    return_pci,
)
from leftovers import check_nothing_left, snapshot
from worldly import Configure, ended

CANCELLATIONS = 3000
WORKERS = 12

Start = Callable[[], Operation[Any]]

# The ways in which a program can await an operation with asyncio. Each takes the function that starts the
# operation.


async def awaited(start: Start) -> Any:
    return await start()


async def task(start: Start) -> Any:
    return await asyncio.create_task(start())


async def gather(start: Start) -> Any:
    return (await asyncio.gather(asyncio.sleep(0), start()))[1]


async def group(start: Start) -> Any:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.sleep(0))
        running = tasks.create_task(start())
    return running.result()


async def timeout(start: Start) -> Any:
    async with asyncio.timeout(LIMIT):
        return await start()


async def wait_for(start: Start) -> Any:
    return await asyncio.wait_for(start(), LIMIT)


async def shield(start: Start) -> Any:
    return await asyncio.shield(start())


async def as_completed(start: Start) -> Any:
    results = [await each for each in asyncio.as_completed([start()])]
    return results[0]


WAYS = [awaited, task, gather, group, timeout, wait_for, shield, as_completed]
EARLY = {gather, shield, as_completed}
"""The ways in which a cancelled task stops waiting before the operation ends. gather() cancels the operation
and does not wait for it. The other two do not cancel the operation."""

LOSING = {task, gather, group, shield}
"""The ways in which another task or future takes the result for the waiting task. If the waiting task is
cancelled after that, the result is dropped, and the library cannot notice this. It can happen during one turn
of the loop."""

# The moments of a cancellation


Moment = tuple[str, int]
"""("turn", n): n turns of the loop after the task was made. ("phase", n): when the operation enters its n-th
phase. ("end", 0): when the operation has completed, and before the task runs. ("ms", n): after n
milliseconds."""


class Run:
    """Runs an operation in a task, and cancels the task at a moment."""

    def __init__(
        self, start: Callable[..., Operation[Any]], way: Callable[[Start], Awaitable[Any]], moment: Moment
    ):
        self.start, self.way, self.moment = start, way, moment
        self.reports = 0
        self.operation: Operation[Any] | None = None
        self.task: asyncio.Task[Any]

    async def __call__(self) -> Any:
        """Returns the result, or None if the operation was cancelled or has failed."""
        self.task = asyncio.ensure_future(self._work())
        kind, number = self.moment
        for _ in range(number if kind == "turn" else 0):
            await asyncio.sleep(0)
        if kind == "ms":
            await asyncio.wait([self.task], timeout=number / 1000)
        if kind in ("turn", "ms"):
            self.task.cancel()
        await asyncio.wait([self.task], timeout=LIMIT)
        assert self.task.done(), self.operation
        if self.operation is not None:
            assert self.operation.done() or self.way in EARLY, (self.way, self.moment, self.operation)
            if self.way in EARLY:
                self.operation.cancel()
            await ended(self.operation)
        if self.task.cancelled():
            return self._lost()
        error = self.task.exception()
        errors = error.exceptions if isinstance(error, ExceptionGroup) else [error] if error else []
        assert all(isinstance(each, aioxen.Error) for each in errors), errors
        return None if error else self.task.result()

    def _lost(self) -> Any:
        """Returns the result of the operation if that result was dropped, otherwise None."""
        operation = self.operation
        if operation is None or operation.cancelled() or operation.exception() is not None:
            return None
        if not isinstance(operation, UndoableOperation) or operation._undo is not None:
            return None
        assert self.way in LOSING, (self.way, self.moment)
        return operation.result()

    async def _work(self) -> Any:
        return await self.way(self._start)

    def _start(self) -> Operation[Any]:
        self.operation = self.start(progress=self._report)
        if self.moment == ("end", 0):
            self.operation.add_done_callback(lambda _: self.task.cancel())
        return self.operation

    def _report(self, event: object) -> None:
        self.reports += isinstance(event, aioxen.OperationProgress)
        if self.moment == ("phase", self.reports):
            self.task.cancel()


@pytest.fixture
def reports() -> Iterator[list[dict[str, Any]]]:
    """The reports to the loop's exception handler. There must be none."""
    found: list[dict[str, Any]] = []
    yield found
    assert not found


def moments() -> Iterator[Moment]:
    yield from (("turn", n) for n in range(3))
    yield "end", 0
    yield from (("phase", n) for n in range(1, 12))


async def at_all_moments(arguments: Arguments, name: str, way: Callable[[Start], Awaitable[Any]]) -> int:
    """Returns the number of cancellations."""
    pci = name.startswith("pci_")
    machine = "hvm" if name in MEDIA else "pvh" if name in SAVING else "pv"
    guests, count = Guests(arguments, machine, pci), 0
    if name in ("domain_restore", "domain_receive_stream"):
        await arguments.save()
    for moment in moments():
        await destroy_received(arguments)
        dom = await guests.alive()
        await prepare(name, dom, arguments)
        run = Run(arguments.of(name, dom), way, moment)
        await destroy_result(arguments.xen, name, await run())
        count += run.task.cancelled()
        if moment[0] == "phase" and run.reports < moment[1]:
            break  # The operation has no further phase.
    await destroy_received(arguments)
    await guests.end()
    if name == "host_rename_cpupool":
        await arguments.xen.host_destroy_cpupool(POOL)
    await quiet(arguments.xen)
    if pci:
        await return_pci(arguments.xen)
    return count


@pytest.mark.parametrize("name", OPERATIONS)
async def test_each_operation_at_each_moment(
    xen: aioxen.Context,
    guest: Configure,
    tmp_path: Path,
    name: str,
    sim: object,
    reports: list[dict[str, Any]],
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reports.append(what))
    before = snapshot()
    assert await at_all_moments(Arguments(xen, guest, tmp_path), name, awaited) >= 3
    check_nothing_left(before, name)


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_to_wait_at_each_moment(
    xen: aioxen.Context,
    guest: Configure,
    tmp_path: Path,
    way: Callable[[Start], Awaitable[Any]],
    sim: object,
    reports: list[dict[str, Any]],
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reports.append(what))
    before = snapshot()
    for name in (
        "domain_create",
        "domain_shutdown",
        "domain_destroy",
        "domain_wait_shutdown",
        "domain_get_name",
        "nic_add",
    ):
        assert await at_all_moments(Arguments(xen, guest, tmp_path), name, way) >= 2
    check_nothing_left(before, way.__name__)


LIGHT = [
    name
    for name in OPERATIONS
    if name.split("_")[0]
    not in ("p9", "vfb", "vkb", "vtpm", "vdispl", "vsnd", "pvcallsif", "pci", "usbctrl", "usbdev")
    and not name.endswith("_cpupool")
    and name != "domain_receive_stream"
]
"""The operations of the random cancellations: those that start no QEMU, do not share a cpupool or a PCI
device, and do not always make a domain with the same UUID."""


async def test_random_cancellations(
    xen: aioxen.Context,
    guest: Configure,
    tmp_path: Path,
    sim: object,
    reports: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reports.append(what))
    seed = int(os.environ.get("AIOXEN_SEED", random.randrange(1 << 32)))
    with capsys.disabled():
        print(f"\nAIOXEN_SEED={seed}")
    before, began = snapshot(), time.process_time()
    arguments = Arguments(xen, guest, tmp_path)
    await arguments.save()
    cancelled = 0

    async def work(number: int) -> None:
        nonlocal cancelled
        rng = random.Random(seed * WORKERS + number)
        guests = Guests(arguments, rng.choice(["pv", "pvh"]))
        while cancelled < CANCELLATIONS:
            dom = await guests.alive()
            kind = rng.choice(["turn", "turn", "phase", "end", "ms"])
            moment = kind, 0 if kind == "end" else rng.randint(kind == "phase", 5)
            name = rng.choice(LIGHT)
            run = Run(arguments.of(name, dom), rng.choice(WAYS), moment)
            await destroy_result(xen, name, await run())
            cancelled += run.task.cancelled()
        await guests.end()

    async with asyncio.TaskGroup() as workers:
        for number in range(WORKERS):
            workers.create_task(work(number))
    await quiet(xen)
    check_nothing_left(before, f"seed {seed}")
    with capsys.disabled():
        print(f"{cancelled} cancellations, {time.process_time() - began:.1f} s of this process")
