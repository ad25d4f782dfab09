# SPDX-License-Identifier: LGPL-2.1-or-later
"""What operations report of their progress."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import aioxen
import pytest
from worldly import Configure


async def test_a_report_comes_before_the_end_in_the_loop_s_thread(
    xen: aioxen.Context, guest: Configure
) -> None:
    told: list[tuple[aioxen.DomainCreateConsoleAvailable, bool, int]] = []

    def progress(event: aioxen.DomainCreateConsoleAvailable) -> None:
        told.append((event, creation.done(), threading.get_ident()))

    creation = xen.domain_create(guest(), progress=progress)
    dom = await creation
    assert told == [(aioxen.DomainCreateConsoleAvailable(dom.domid, dom.uuid), False, threading.get_ident())]
    await dom.destroy()


async def test_each_operation_has_its_own_listener(xen: aioxen.Context, guest: Configure) -> None:
    told: dict[str, list[int]] = {"a": [], "b": []}
    made = [
        xen.domain_create(guest(name=name), progress=lambda event, to=heard: to.append(event.domid))  # type: ignore[misc]
        for name, heard in told.items()
    ]
    silent = await xen.domain_create(guest())
    domains = [await creation for creation in made]
    assert list(told.values()) == [[dom.domid] for dom in domains]
    for dom in [*domains, silent]:
        await dom.destroy()


async def test_nothing_is_kept(xen: aioxen.Context, guest: Configure) -> None:
    """However it ends: well, by a cancellation, refused at the start."""
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


async def test_a_listener_that_fails_is_no_fault_of_the_operation(
    xen: aioxen.Context, guest: Configure
) -> None:
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))

    def progress(event: aioxen.Event) -> None:
        raise ZeroDivisionError

    dom = await xen.domain_create(guest(), progress=progress)
    assert [type(context["exception"]) for context in said] == [ZeroDivisionError]
    await dom.destroy()
