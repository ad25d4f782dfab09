# SPDX-License-Identifier: LGPL-2.1-or-later
"""Progress events, and the list of operations in progress."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import aioxen
import pytest
from aioxen import DomainCreateConsoleAvailable, OperationProgress, OperationState
from worldly import Configure, ended

CreateEvent: TypeAlias = OperationProgress | DomainCreateConsoleAvailable


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
    phases = [event for event, _, _ in events if isinstance(event, OperationProgress)]
    assert phases
    assert {event.operation for event in phases} == {"domain_create_new"}
    assert all(event.phase for event in phases)
    assert len({event.phase for event in phases}) > 1
    await dom.destroy()


async def test_each_phase_is_reported_in_order(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("l"))
    await dom.unpause()
    events: list[OperationProgress] = []
    await xen.domain_shutdown(dom, progress=events.append)
    assert list(dict.fromkeys(event.phase for event in events)) == ["request", "acknowledge", "confirm"]
    assert {(e.operation, e.domid, e.uuid) for e in events} == {("domain_shutdown", dom.domid, dom.uuid)}
    assert {(event.index, event.count, event.unit) for event in events} == {(0, 0, "")}
    await dom.destroy()


async def test_a_queue_receives_the_events(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    queue: asyncio.Queue[OperationProgress] = asyncio.Queue()
    await dom.destroy(progress=queue)
    assert not queue.empty()
    assert (await queue.get()).operation == "domain_destroy"


async def test_a_full_queue_does_not_disturb_the_operation(xen: aioxen.Context, guest: Configure) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    dom = await xen.domain_create(guest("l"))
    await dom.unpause()
    queue: asyncio.Queue[OperationProgress] = asyncio.Queue(1)
    await xen.domain_shutdown(dom, progress=queue)
    assert queue.full()
    assert {type(report["exception"]) for report in reports} == {asyncio.QueueFull}
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
    """The context keeps no reference to a receiver when its operation has ended. The operation may have
    succeeded, failed, been cancelled, or been refused."""
    dom = await xen.domain_create(guest(), progress=print)
    await dom.destroy(progress=print)
    creation = xen.domain_create(guest(memory="64M"), progress=print)
    creation.cancel()
    await ended(creation)
    with pytest.raises(aioxen.InvalidError):
        await xen.domain_create(aioxen.DomainConfig(), progress=print)
    with pytest.raises(aioxen.DomainNotFoundError):
        await xen.domain_destroy(31_999, progress=print)
    with pytest.raises(ValueError, match="timeout"):
        xen.domain_create(guest(), timeout=-1, progress=print)
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


# The list of operations in progress


async def test_operations_lists_what_is_in_progress(xen: aioxen.Context, guest: Configure) -> None:
    assert xen.operations() == []
    dom = await xen.domain_create(guest())
    waiting = dom.wait_shutdown()
    (info,) = xen.operations()
    assert (info.operation, info.domid, info.domuuid) == ("domain_wait_shutdown", dom.domid, dom.uuid)
    assert info.state is OperationState.RUNNING
    assert info.phase
    assert info.for_event == id(waiting)
    assert info.phase_ms <= info.age_ms
    await dom.destroy()
    await ended(waiting)
    waiting.exception()
    assert xen.operations() == []


async def test_operations_of_a_closed_context() -> None:
    xen = aioxen.Context()
    await xen.aclose()
    assert xen.operations() == []


async def test_repr_shows_the_operation_and_its_phase(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    waiting = dom.wait_shutdown()
    (info,) = xen.operations()
    text = f"<Operation domain_wait_shutdown domid={dom.domid}"
    assert repr(waiting) == f"{text} running phase={info.phase}>"
    waiting.cancel()
    await ended(waiting)
    assert repr(waiting) == f"{text} cancelled>"
    await dom.destroy()
    assert repr(xen.domain_get_info(0)).startswith(
        "<Operation domain_get_info domid=0 finished result=DomInfo("
    )
