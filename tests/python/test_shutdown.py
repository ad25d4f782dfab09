# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain.shutdown() and reboot(), which send a request and wait, and the operations that only send a
request."""

from __future__ import annotations

import asyncio

import aioxen
import pytest
from aioxen import ShutdownReason
from worldly import Configure, read_node, write_node


def request_node(dom: aioxen.Domain) -> str:
    return f"/local/domain/{dom.domid}/control/shutdown"


async def requested(dom: aioxen.Domain, value: str) -> None:
    """Waits until the toolstack's request is in xenstore."""
    while read_node(request_node(dom)) != value:
        await asyncio.sleep(0.001)


def acknowledge(dom: aioxen.Domain) -> None:
    """Acknowledges the request as a guest does. The function writes an empty value to the request's node."""
    write_node(request_node(dom), "")


async def running(xen: aioxen.Context, config: aioxen.DomainConfig) -> aioxen.Domain:
    dom = await xen.domain_create(config)
    await dom.unpause()
    return dom


async def settled(future: asyncio.Future[ShutdownReason]) -> BaseException | None:
    try:
        await future
    except (asyncio.CancelledError, aioxen.Error) as error:
        return error
    return None


@pytest.mark.parametrize("machine", ["pv", "pvh"])
async def test_shutdown_and_reboot_return_the_reason(
    xen: aioxen.Context, guest: Configure, machine: str
) -> None:
    off = await running(xen, guest("l", machine=machine, name="off"))
    again = await running(xen, guest("l", machine=machine, name="again"))
    reasons = await asyncio.gather(off.shutdown(timeout=60), again.reboot(limit=60))
    assert tuple(reasons) == (ShutdownReason.POWEROFF, ShutdownReason.REBOOT)
    assert (await off.info()).shutdown
    assert (await again.info()).shutdown
    await asyncio.gather(off.destroy(), again.destroy())


async def test_shutdown_waits_for_the_stop_after_the_acknowledgement(
    xen: aioxen.Context, guest: Configure
) -> None:
    dom = await running(xen, guest("b"))
    stopping = dom.shutdown()
    await requested(dom, "poweroff")
    acknowledge(dom)
    await asyncio.sleep(0.05)
    assert not stopping.done()
    await dom.destroy()
    assert isinstance(await settled(stopping), aioxen.DomainDestroyedError)


async def test_the_bare_operation_completes_when_the_guest_has_acknowledged(
    xen: aioxen.Context, guest: Configure
) -> None:
    for operation, value in (xen.domain_shutdown, "poweroff"), (xen.domain_reboot, "reboot"):
        dom = await running(xen, guest("b"))
        asking = operation(dom)
        await requested(dom, value)
        acknowledge(dom)
        assert await asking is None  # type: ignore[func-returns-value]
        assert not (await dom.info()).shutdown
        await dom.destroy()


async def test_one_limit_covers_the_request_and_the_wait(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest("b"))
    error = await settled(dom.shutdown(timeout=0.1))
    assert isinstance(error, aioxen.TimedOutError)
    assert (error.operation, error.domid) == ("domain_shutdown", dom.domid)
    assert read_node(request_node(dom)) == ""  # the request has been withdrawn

    stopping = dom.shutdown(timeout=2)
    await requested(dom, "poweroff")
    acknowledge(dom)
    error = await settled(stopping)
    assert isinstance(error, aioxen.TimedOutError)
    assert error.operation == "domain_wait_shutdown"
    await dom.destroy()


async def test_cancelling_withdraws_the_request(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest("b"))
    stopping = dom.shutdown()
    await requested(dom, "poweroff")
    assert stopping.cancel()
    assert not stopping.done()
    assert isinstance(await settled(stopping), asyncio.CancelledError)
    assert not stopping.cancel()
    assert read_node(request_node(dom)) == ""
    assert xen.counters().operations == 0
    await dom.destroy()


async def test_cancelling_after_the_acknowledgement_stops_the_wait(
    xen: aioxen.Context, guest: Configure
) -> None:
    dom = await running(xen, guest("b"))
    task = asyncio.ensure_future(dom.reboot())
    await requested(dom, "reboot")
    acknowledge(dom)
    await asyncio.sleep(0.05)
    task.cancel()
    assert isinstance(await settled(task), asyncio.CancelledError)
    assert xen.counters().operations == 0
    await dom.destroy()


async def test_a_cancelled_task_waits_until_both_operations_have_ended(
    xen: aioxen.Context, guest: Configure
) -> None:
    dom = await running(xen, guest("b"))

    async def stop() -> ShutdownReason:
        return await dom.shutdown()

    task = asyncio.create_task(stop())
    await requested(dom, "poweroff")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert xen.counters().operations == 0
    await dom.destroy()


async def test_a_domain_that_does_not_exist(xen: aioxen.Context) -> None:
    dom = aioxen.Domain(xen, 31_999, bytes(16))
    for stop in dom.shutdown, dom.reboot:
        error = await settled(stop())
        assert isinstance(error, aioxen.DomainNotFoundError)
        assert error.domid == 31_999
    with pytest.raises(ValueError, match="timeout"):
        dom.shutdown(timeout=-1)


async def test_closing_the_context_ends_it(guest: Configure) -> None:
    async with aioxen.Context() as xen:
        dom = await running(xen, guest("b"))
        stopping = dom.shutdown()
        await requested(dom, "poweroff")
    assert isinstance(stopping.exception(), aioxen.ClosedError)
    async with aioxen.Context() as xen:
        await xen.domain_destroy(dom)


async def test_both_operations_report_progress(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest("l"))
    events: list[aioxen.OperationProgress] = []
    await dom.shutdown(progress=events.append)
    assert {event.operation for event in events} == {"domain_shutdown", "domain_wait_shutdown"}
    await dom.destroy()
