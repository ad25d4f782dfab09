# SPDX-License-Identifier: LGPL-2.1-or-later
"""Progress events, and the list of operations in progress."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import aioxen
import pytest
from aioxen import DomainCreateConsoleAvailable
from worldly import Configure

CreateEvent: TypeAlias = DomainCreateConsoleAvailable


async def test_events_arrive_before_the_completion_in_the_loops_thread(
    xen: aioxen.Context, guest: Configure
) -> None:
    events: list[tuple[CreateEvent, bool, int]] = []

    def progress(event: CreateEvent) -> None:
        events.append((event, creation.done(), threading.get_ident()))

    creation = xen.domain_create(guest(), progress=progress)
    dom = await creation
    assert {(done, thread) for _, done, thread in events} == {(False, threading.get_ident())}
    console = [event for event, _, _ in events if isinstance(event, DomainCreateConsoleAvailable)]
    assert console == [DomainCreateConsoleAvailable(dom.domid, dom.uuid)]
    await dom.destroy()


async def test_each_operation_has_its_own_receiver(xen: aioxen.Context, guest: Configure) -> None:
    domids: dict[str, set[int]] = {"a": set(), "b": set()}

    def receiver(name: str) -> Callable[[CreateEvent], None]:
        return lambda event: domids[name].add(event.domid)

    creations = [xen.domain_create(guest(name=name), progress=receiver(name)) for name in domids]
    other = await xen.domain_create(guest())
    domains = [await creation for creation in creations]
    for dom, found in zip(domains, domids.values(), strict=True):
        assert dom.domid in found
        assert found.isdisjoint({d.domid for d in [*domains, other] if d is not dom})
    for dom in [*domains, other]:
        await dom.destroy()


async def test_no_receiver_is_kept(xen: aioxen.Context, guest: Configure) -> None:
    """After success, a cancellation, an error of the operation, and refused arguments."""
    dom = await xen.domain_create(guest(), progress=print)
    await dom.destroy()
    creation = xen.domain_create(guest(memory="64M"), progress=print)
    creation.cancel()
    await asyncio.wait([creation])
    with pytest.raises(aioxen.InvalidError):
        await xen.domain_create(aioxen.DomainConfig(), progress=print)
    with pytest.raises(ValueError, match="limit"):
        xen.domain_create(guest(), limit=-1, progress=print)
    with pytest.raises(TypeError, match=r"progress: .*'print'"):
        xen.domain_create(guest(), progress="print")  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert xen._progress_callbacks == {}


async def test_an_exception_of_the_receiver_does_not_disturb_the_operation(
    xen: aioxen.Context, guest: Configure
) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    def progress(event: aioxen.Event) -> None:
        raise ZeroDivisionError

    dom = await xen.domain_create(guest(), progress=progress)
    assert {type(report["exception"]) for report in reports} == {ZeroDivisionError}
    await dom.destroy()


async def test_an_instant_operation_has_no_progress(xen: aioxen.Context) -> None:
    pause: Any = xen.domain_pause
    with pytest.raises(TypeError, match="progress"):
        pause(0, progress=None)
