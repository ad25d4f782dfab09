# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types that a type checker sees. `mypy --strict tests/python` checks each assert_type() of this file."""

from __future__ import annotations

from typing import assert_type

import aioxen
from aioxen import (
    DeviceConnected,
    DeviceFailed,
    DeviceGone,
    DeviceModelEnded,
    DomainAppeared,
    DomainDying,
    DomainGone,
    DomainShutdown,
    Events,
    EventsLost,
)


async def test_events_have_the_types_that_were_asked_for(xen: aioxen.Context) -> None:
    async with xen.events(types=[DomainShutdown]) as stops:
        assert_type(stops, Events[DomainShutdown])
        if stops._queue.waiting:
            assert_type(await anext(stops), DomainShutdown | EventsLost)
    async with xen.events(None, [DomainDying, DomainGone]) as ends:
        general: Events[aioxen.Event] = ends
        assert general is ends
    async with xen.events() as all_events:
        assert_type(all_events, Events[DomainAppeared | DomainShutdown | DomainDying | DomainGone])
    async with xen.device_events() as devices:
        assert_type(devices, Events[DeviceConnected | DeviceFailed | DeviceGone | DeviceModelEnded])
    async with xen.device_events(0, types=[DeviceFailed]) as failures:
        assert_type(failures, Events[DeviceFailed])
