# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looking up domains, listing them and their states, and the view that events keep current."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable

import aioxen
import pytest
from aioxen import DomainState, DomainView
from aioxen import domains as module
from worldly import Configure

Sim = Callable[..., str]


async def until(view: DomainView, right: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not right():
            await view.changed()


async def test_a_domain_is_found_by_domid_name_and_uuid(xen: aioxen.Context, guest: Configure) -> None:
    async with xen.domain_create(guest(name="web")) as dom:
        ways: list[int | str | uuid.UUID | aioxen.Domain] = [dom.domid, dom.uuid, dom]
        for which in [*ways, str(dom.domid), "web", str(dom.uuid)]:
            found = await xen.domain(which)
            assert found == dom
            assert type(found) is aioxen.Domain
        assert await xen.domain(0) == await xen.domain("Domain-0")


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (31_999, "there is no domain 31999"),
        ("31999", "there is no domain 31999; a string of digits is a domid, not a name"),
        ("99999999999", "there is no domain 99999999999; a string"),
        ("web", "there is no domain named 'web'"),
        (uuid.UUID(int=7), "there is no domain with the UUID 00000000-0000-0000-0000-000000000007"),
        (str(uuid.UUID(int=7)), "named '00000000-0000-0000-0000-000000000007', or with this UUID"),
    ],
)
async def test_the_error_names_what_was_asked_for(xen: aioxen.Context, which: int | str, words: str) -> None:
    with pytest.raises(aioxen.DomainNotFoundError) as raised:
        await xen.domain(which)
    assert words in str(raised.value)
    assert raised.value.operation == "domain"


@pytest.mark.parametrize(
    ("which", "error"), [("", ValueError), (True, TypeError), (1.5, TypeError), (-1, OverflowError)]
)
async def test_what_names_no_domain_is_refused(
    xen: aioxen.Context, which: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await xen.domain(which)


async def test_a_handle_is_checked(xen: aioxen.Context, guest: Configure) -> None:
    async with xen.domain_create(guest()) as dom:
        stale = aioxen.Domain(xen, dom.domid, uuid.uuid4())
        with pytest.raises(aioxen.DomainGoneError):
            await xen.domain(stale)


async def test_the_states_of_a_life(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("l"))
    states = [await dom.state()]
    await dom.unpause()
    states.append(await dom.state())
    await dom.shutdown(timeout=60)
    states.append(await dom.state())
    await dom.destroy()
    states.append(await dom.state())
    assert states == [DomainState.PAUSED, DomainState.RUNNING, DomainState.SHUTDOWN, DomainState.GONE]


async def test_domains_are_listed_in_slices(
    xen: aioxen.Context, guest: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = [await xen.domain_create(guest(name=f"d{n}")) for n in range(3)]
    for size in 1, 2, 1000:
        monkeypatch.setattr(module, "SLICE", size)
        listed = [dom async for dom in xen.domains]
        assert listed[0].domid == 0
        assert set(created) <= set(listed)
        assert [d.domid for d in listed] == sorted(d.domid for d in listed)
    await asyncio.gather(*[d.destroy() for d in created])


async def test_a_view_follows_the_life_of_domains(xen: aioxen.Context, guest: Configure) -> None:
    first = await xen.domain_create(guest("l", name="first"))
    async with xen.domains.live() as view:
        assert dict(view)[first.domid].domain == first
        assert 0 not in view
        second = await xen.domain_create(guest("l", name="second"))
        await until(view, lambda: second.domid in view)
        assert view[second.domid].state is DomainState.RUNNING
        await second.unpause()
        await second.shutdown(timeout=60)
        await until(view, lambda: view[second.domid].state is DomainState.SHUTDOWN)
        assert view[second.domid].reason is aioxen.ShutdownReason.POWEROFF
        await asyncio.gather(first.destroy(), second.destroy())
        await until(view, lambda: not {first.domid, second.domid} & set(view))
    names = [(type(e).__name__, e.domid) async for e in view if not isinstance(e, aioxen.EventsLost)]
    assert [n for n, domid in names if domid == second.domid] == [
        "DomainAppeared", "DomainShutdown", "DomainDying", "DomainGone",
    ]  # fmt: skip
    await view.changed()  # The view has one more change to report.
    with pytest.raises(aioxen.ClosedError):
        await view.changed()


async def test_a_reused_domid_in_a_view(xen: aioxen.Context) -> None:
    """The new domain appears before the last events of the old one."""
    old, new = uuid.uuid4(), uuid.uuid4()
    async with xen.domains.live() as view:
        for event in (
            aioxen.DomainAppeared(30_000, old),
            aioxen.DomainAppeared(30_000, new),
            aioxen.DomainShutdown(30_000, old, aioxen.ShutdownReason.CRASH),
            aioxen.DomainDying(30_000, old),
            aioxen.DomainGone(30_000, old),
        ):
            view._apply(event)
        assert (view[30_000].domain.uuid, view[30_000].state) == (new, DomainState.RUNNING)


async def test_a_view_is_right_although_nobody_reads_its_events(
    xen: aioxen.Context, guest: Configure
) -> None:
    async with xen.domains.live(capacity=1) as view:
        before = set(view)
        for n in range(3):
            async with xen.domain_create(guest(name=f"d{n}")) as dom:
                await until(view, lambda dom=dom: dom.domid in view)  # type: ignore[misc]
            await until(view, lambda dom=dom: dom.domid not in view)  # type: ignore[misc]
        assert set(view) == before


async def test_several_tasks_wait_for_a_view(xen: aioxen.Context, guest: Configure) -> None:
    async with xen.domains.live() as view:
        waiting = [asyncio.create_task(view.changed()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # The other tasks go on waiting.
        async with xen.domain_create(guest()):
            await asyncio.wait_for(asyncio.gather(*waiting[1:]), 60)


async def test_a_view_lists_the_domains_again_after_a_loss(
    xen: aioxen.Context, guest: Configure, sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test reports a loss to the view, without any change of domains, and makes two entries of the view
    wrong. Both entries are corrected. The first attempt to list the domains fails."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    async with xen.domain_create(guest()) as dom, xen.domains.live() as view:
        assert view._events is not None
        view._add(31_000, uuid.uuid4())
        del view._statuses[dom.domid]
        sim("fault", "add", "--pid", str(os.getpid()), "sysctl.getdomaininfolist:1:EIO")
        view._events._put(aioxen.DomainEventsLost(0, uuid.UUID(int=0)))
        await until(view, lambda: dom.domid in view and 31_000 not in view)
        assert isinstance(await anext(aiter(view)), aioxen.EventsLost)


async def test_an_event_during_the_listing_counts(
    xen: aioxen.Context, guest: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A domain that is gone while the list is read does not come back into the view."""
    monkeypatch.setattr(module, "SLICE", 1)
    created = [await xen.domain_create(guest(name=f"d{n}")) for n in range(3)]
    async with xen.domains.live() as view:
        listing = asyncio.create_task(view._list())
        await asyncio.sleep(0)
        view._apply(aioxen.DomainGone(created[2].domid, created[2].uuid))
        await listing
        assert created[2].domid not in view
        assert created[1].domid in view
    await asyncio.gather(*[d.destroy() for d in created])


async def test_a_view_ends_with_its_context(guest: Configure, hypervisor: None) -> None:
    xen = aioxen.Context()
    async with xen.domains.live() as view:
        waiting = asyncio.create_task(view.changed())
        await asyncio.sleep(0)
        await xen.aclose()
        with pytest.raises(aioxen.ClosedError):
            await waiting
