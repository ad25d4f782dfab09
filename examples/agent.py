#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wait until the agents in guests have written a node of xenstore, and print the values.

    agent.py [--timeout SECONDS] NODE DOMAIN...

NODE is relative to the domain's tree. For example, xe-daemon writes the guest's address into
attr/vif/0/ipv4/0. The domains are waited for at the same time. A domain that is destroyed meanwhile, or whose
agent has not written the node in time, is reported, and the exit status is 1.

With --follow the program then prints each further value until Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import aioxen


def printable(value: str | None) -> str:
    """Returns a value that a guest has written, without control characters."""
    return "-" if value is None else value.encode("unicode_escape", "surrogateescape").decode("ascii")


async def value_of(xen: aioxen.Context, dom: aioxen.Domain, path: str, seconds: float) -> str | None:
    """Waits until the node has a value. Ends early when the domain is gone."""
    written = asyncio.create_task(xen.store.wait(path, bool, timeout=seconds))
    gone = asyncio.create_task(dom.wait_gone())
    try:
        await asyncio.wait([written, gone], return_when=asyncio.FIRST_COMPLETED)
        if not written.done():
            raise aioxen.DomainNotFoundError("the domain is gone")
        return written.result()
    finally:
        for task in written, gone:
            task.cancel()
        await asyncio.gather(written, gone, return_exceptions=True)


async def one(xen: aioxen.Context, name: str, node: str, seconds: float, follow: bool) -> bool:
    """Waits for one domain. Returns whether its agent has written the node."""
    try:
        dom = await xen.domain(name)
        path = f"/local/domain/{dom.domid}/{node}"
        print(name, printable(await value_of(xen, dom, path, seconds)), flush=True)
    except aioxen.Error as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    if follow:
        async with xen.store.watch(path) as changes:
            async for _ in changes:  # After an EventsLost the node is read again, too.
                print(name, printable(await xen.store.get(path)), flush=True)
    return True


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for each domain")
    parser.add_argument("--follow", action="store_true", help="print each further value")
    parser.add_argument("node", help="the node, relative to the domain's tree")
    parser.add_argument("domain", nargs="+", help="the name or the number of a domain")
    args = parser.parse_args()
    async with aioxen.Context() as xen:
        results = await asyncio.gather(
            *(one(xen, name, args.node, args.timeout, args.follow) for name in args.domain)
        )
    return 0 if all(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
