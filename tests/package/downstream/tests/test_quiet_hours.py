# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests without a plugin for event loops: each runs a loop of its own."""

from __future__ import annotations

import asyncio
import time

import aioxen
import pytest
from aioxen.testing import Machine, Simulator
from quiet_hours import quiet


def paused_in_quiet_hours(machine: Simulator, count: int = 2) -> tuple[list[bool], list[bool]]:
    """Makes guests and gives them quiet hours. Returns two lists: whether each guest is paused during the
    quiet hours, and whether it is paused afterwards."""

    async def main() -> tuple[list[bool], list[bool]]:
        async with aioxen.Context() as xen:
            guests = [await xen.domain_create(machine.guest(name=f"g{n}"), timeout=30) for n in range(count)]
            for guest in guests:
                await guest.unpause()
            during: list[bool] = []
            try:
                async with quiet(guests):
                    during = [(await guest.info()).paused for guest in guests]
            except aioxen.Error:
                pass
            return during, [(await guest.info()).paused for guest in guests]

    return asyncio.run(main())


def test_guests_are_paused_only_in_quiet_hours(xen_sim: Simulator) -> None:
    assert paused_in_quiet_hours(xen_sim) == ([True, True], [False, False])


def test_a_test_finds_no_guest_of_another_test(xen_sim: Simulator) -> None:
    assert xen_sim.domids() == {0}


@pytest.mark.xen_fault("domctl.pausedomain", nth=3, error="EBUSY")
def test_all_guests_run_if_one_cannot_be_paused(xen_sim: Simulator) -> None:
    """The creations make no pause, so the third pause is the pause of the third guest."""
    assert paused_in_quiet_hours(xen_sim, count=3) == ([], [False, False, False])


@pytest.mark.xen_fault("domctl.pausedomain", nth=1, delay=0.3)
def test_a_slow_pause_is_waited_for(xen_sim: Simulator) -> None:
    start = time.monotonic()
    assert paused_in_quiet_hours(xen_sim, count=1) == ([True], [False])
    assert time.monotonic() - start >= 0.3


def test_a_fault_ends_with_its_block(xen_sim: Simulator) -> None:
    with xen_sim.fault("domctl.pausedomain", error="EPERM") as fault:
        assert paused_in_quiet_hours(xen_sim) == ([], [False, False])
        assert fault.hits == 1
    xen_sim.destroy(xen_sim.domids() - {0})
    assert paused_in_quiet_hours(xen_sim) == ([True, True], [False, False])


def test_xenstored_is_there_after_a_test_that_ends_it(xen_sim: Simulator) -> None:
    xen_sim.control("xenstored", "kill")


def test_xenstored_is_there_again(xen_sim: Simulator) -> None:
    assert paused_in_quiet_hours(xen_sim, count=1) == ([True], [False])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"error": "EBUSY", "delay": 1}, "either error= or delay="),
        ({"error": "ENOSUCH"}, "ENOSUCH"),
        ({"error": "EBUSY", "nth": "often"}, "often"),
    ],
)
def test_a_wrong_fault_is_named(xen_sim: Simulator, given: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        xen_sim.fault("domctl.pausedomain", **given)  # type: ignore[arg-type]


def test_only_on_a_real_xen(xen_vm: Machine) -> None:
    assert 0 in xen_vm.domids()
