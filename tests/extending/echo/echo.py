# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls the example's operations from Python, with an input and a result of each kind."""

import asyncio
from typing import Any
from uuid import UUID

import aioxen
from aioxen import ShutdownReason

IDENTITY = UUID("8e4c2f0a-5d3b-4b1e-9a57-0c6d2e8f1b34")


async def main(xen: Any, traits: Any) -> None:
    dom0 = await xen.domain_find("Domain-0")
    config = aioxen.pv("g", "/boot/kernel", vcpus=3)
    reason, great = ShutdownReason.CRASH, 2**64 - 1
    for flag in True, False:
        given = (
            "été", config, reason, 9, great, flag, IDENTITY,
            {0, 9, 300}, ["a", "é"], b"\1\2\3\4\5\6", flag, b"12345678",
        )  # fmt: skip
        numbers = ("été", 3, reason, 9, great, flag, IDENTITY, [])
        expected = (dom0, *numbers, *given[7:], traits.FAST | traits.WARM, 0.5, reason, 0)
        assert await dom0.echo(*given) == expected
        reports: list[Any] = []
        assert await xen.domain_echo(0, *given, progress=reports.append) == expected
        stop = aioxen.DomainShutdown(0, dom0.uuid, ShutdownReason.WATCHDOG)
        assert [r for r in reports if isinstance(r, aioxen.DomainShutdown)] == [stop], reports

        chosen = (traits.QUIET, -2.25, ShutdownReason.SUSPEND)
        for more, bits in (("g", config, {1}, IDENTITY), 15), (("x",), 1), ((None, None, None, IDENTITY), 8):
            assert await dom0.echo(*given, *chosen, *more) == (*expected[:14], *chosen, bits)
    for wrong in {"ratio": 1.5}, {"traits": 4}, {"kind": 77}:
        refused: Any = None
        try:
            await dom0.echo(*given, **wrong)
        except ValueError as error:
            refused = error
        assert next(iter(wrong)) in str(refused)
    assert not hasattr(xen, "domain_lose")  # Only C has this operation.
    print("all came back")


async def run() -> None:
    async with aioxen.Context() as xen:
        await main(xen, aioxen.Traits)  # type: ignore[attr-defined]


asyncio.run(run())
