# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest writes hostile values into each node that it may write, during every operation that waits.

By default each operation is repeated for 0.1 s, in which the guest does random acts. With
AIOXEN_HOSTILE_VALUES=500 it is repeated until the guest has written 500 values into each node (`make sweep`).

AIOXEN_SEED=N chooses the random acts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aioxen
import pytest
from each_operation import (
    MEDIA,
    NAMES,
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
from hostility import WITHOUT_END, bounded, hostile_guest, outcome
from worldly import Configure

SEED = int(os.environ.get("AIOXEN_SEED", "1"))
VALUES = int(os.environ.get("AIOXEN_HOSTILE_VALUES", "0"))
SECONDS = 0.1
LIMIT = 0.3
"""The time limit of each operation, in seconds. Some operations wait for an answer that a hostile guest never
gives."""

MAKING = {"domain_create", "domain_restore", "domain_receive_stream"}
"""The operations that make a domain. The domain that they make is the hostile one."""

OF_QEMU = {"domain_qmp", "qemu_monitor_command"}


async def with_result(xen: aioxen.Context, name: str, operation: Awaitable[object]) -> aioxen.Error | None:
    """Awaits the operation, and destroys the domain or cpupool that it has made. Returns its error."""
    future = asyncio.ensure_future(operation)
    error = await outcome(future)
    if not error:
        await destroy_result(xen, name, future.result())
    return error


async def victim_of(name: str, dom: aioxen.Domain, arguments: Arguments) -> int:
    """Returns the number of the domain that is hostile."""
    if name not in MAKING:
        return dom.domid
    # The next domain gets the next number.
    async with arguments.xen.domain_create(arguments.guest(name=next(NAMES))) as last:
        return last.domid + 1


async def prepared(name: str, dom: aioxen.Domain, guests: Guests) -> bool:
    """Prepares the operation on a guest that is hostile. Returns whether the guest is still alive."""
    if await guests.alive() is not dom:
        return False
    with contextlib.suppress(aioxen.Error, TimeoutError):
        async with asyncio.timeout(LIMIT):
            await prepare(name, dom, guests.arguments)
    return True


async def under_hostility(arguments: Arguments, name: str, number: int) -> int:
    """Runs the operation while its guest is hostile. Returns how often it has run."""
    machine = "hvm" if name in MEDIA | OF_QEMU else "pvh" if name in SAVING else "pv"
    guests, count = Guests(arguments, machine, name.startswith("pci_")), 0
    if name in ("domain_restore", "domain_receive_stream"):
        await arguments.save()
    for part in range(3):  # An operation may end the guest before the guest is done.
        dom = await guests.alive()
        await prepare(name, dom, arguments)
        what = (VALUES,) if VALUES and name not in MAKING else (WITHOUT_END, SEED * 1000 + 10 * number + part)
        done, end = False, time.monotonic() + SECONDS
        with hostile_guest(await victim_of(name, dom, arguments), *what) as acts:
            while not done:
                count += 1
                await with_result(arguments.xen, name, arguments.of(name, dom)())
                if name in MAKING or not await prepared(name, dom, guests):
                    break
                done = not acts() or (not VALUES and time.monotonic() > end)
        await destroy_received(arguments)
        if done:
            break
    await guests.end()
    if name in ("host_destroy_cpupool", "host_rename_cpupool"):
        with contextlib.suppress(aioxen.NotFoundError):
            await arguments.xen.host_destroy_cpupool(POOL)
    await quiet(arguments.xen)
    if guests.pci:
        await return_pci(arguments.xen)
    return count


@pytest.mark.parametrize("number", range(len(OPERATIONS)), ids=OPERATIONS)
async def test_each_operation_on_a_hostile_guest(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, sim: Callable[..., str], number: int
) -> None:
    name = OPERATIONS[number]
    with bounded(f"{name}, seed {SEED}"):
        assert await under_hostility(Arguments(xen, guest, tmp_path, LIMIT), name, number)
