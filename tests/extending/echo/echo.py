# SPDX-License-Identifier: LGPL-2.1-or-later
"""An input and a result of each kind, through Python."""

import asyncio
from uuid import UUID

import aioxen
from aioxen import ShutdownReason

IDENTITY = UUID("8e4c2f0a-5d3b-4b1e-9a57-0c6d2e8f1b34")


async def main() -> None:
    async with aioxen.Context() as xen:
        dom0 = await xen.domain_find("Domain-0")
        config = aioxen.pv("g", "/boot/kernel", vcpus=3)
        reason, great = ShutdownReason.CRASH, 2**64 - 1
        for flag in True, False:
            given = ("été", config, reason, 9, great, flag, IDENTITY)
            expected = (dom0, "été", 3, reason, 9, great, flag, IDENTITY, [])
            assert await dom0.echo(*given) == expected  # type: ignore[attr-defined]
            assert await xen.domain_echo(0, *given) == expected  # type: ignore[attr-defined]
        print("all came back")


asyncio.run(main())
