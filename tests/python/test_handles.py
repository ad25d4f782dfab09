# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Domain acts on the domain with its UUID only, because Xen reuses domids."""

from __future__ import annotations

import inspect
import uuid
from typing import Any

import aioxen
import pytest
from aioxen._operations import DomainOperations
from worldly import Configure

ALONE = [
    name
    for name, method in vars(DomainOperations).items()
    if callable(method)
    and all(p.default is not p.empty for p in list(inspect.signature(method).parameters.values())[1:])
]
"""The names of the methods that need no argument."""


def test_many_methods_need_no_argument() -> None:
    assert {"pause", "destroy", "wait_gone", "wait_shutdown", "info", "name"} <= set(ALONE)


@pytest.mark.parametrize("name", [*ALONE, "shutdown", "reboot"])
async def test_a_stale_handle_does_nothing(xen: aioxen.Context, guest: Configure, name: str) -> None:
    """Another domain now has the domid of the handle."""
    dom = await xen.domain_create(guest())
    before = await dom.info()
    stale = aioxen.Domain(xen, dom.domid, uuid.uuid4())
    if name == "wait_gone":
        await stale.wait_gone()
    else:
        with pytest.raises(aioxen.DomainGoneError, match=rf"another domain is number {dom.domid}"):
            await getattr(stale, name)()
    after = await dom.info()
    assert (after.uuid, after.paused, after.shutdown) == (before.uuid, before.paused, before.shutdown)
    await dom.destroy()


async def test_a_stale_handle_as_an_argument(xen: aioxen.Context, guest: Configure) -> None:
    """One call runs in C, one runs through cffi, and one starts no operation."""
    dom = await xen.domain_create(guest())
    stale = aioxen.Domain(xen, dom.domid, uuid.uuid4())
    calls: list[Any] = [
        lambda: xen.domain_pause(stale),
        lambda: xen.domain_pause(domid=stale),
        lambda: xen.domain_destroy(stale, timeout=5),
        lambda: xen.domain_wait_shutdown(stale, progress=print),
        lambda: stale.rename("other"),
    ]
    for call in calls:
        with pytest.raises(aioxen.DomainGoneError):
            await call()
    with pytest.raises(aioxen.DomainGoneError):
        xen.events(stale)
    with pytest.raises(aioxen.DomainGoneError):
        xen.device_events(stale)
    with pytest.raises(aioxen.DomainGoneError):
        async with stale.console():
            pass
    await xen.domain_wait_gone(stale, timeout=5)
    assert await dom.name() == (await xen.domain_get_name(dom.domid))
    await dom.destroy()


async def test_a_handle_of_a_domain_that_is_gone(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    await dom.destroy()
    await dom.wait_gone()
    with pytest.raises(aioxen.DomainGoneError, match=f"there is no domain {dom.domid}") as caught:
        await dom.unpause()
    assert isinstance(caught.value, aioxen.DomainNotFoundError)
    with pytest.raises(aioxen.DomainNotFoundError) as other:
        await xen.domain_unpause(dom.domid)
    assert not isinstance(other.value, aioxen.DomainGoneError)


async def test_a_handle_whose_uuid_is_unknown(xen: aioxen.Context, guest: Configure) -> None:
    """After a creation, the look-up of the UUID may fail. The handle can still be used."""
    dom = await xen.domain_create(guest())
    unknown = aioxen.Domain(xen, dom.domid, b"")
    assert unknown.uuid.int == 0
    await unknown.unpause()
    await unknown.pause()
    await unknown.destroy()


async def test_check_uuid(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    await xen.domain_check_uuid(dom.domid, dom.uuid)
    with pytest.raises(aioxen.DomainGoneError):
        await xen.domain_check_uuid(dom.domid, uuid.uuid4())
    await dom.destroy()
