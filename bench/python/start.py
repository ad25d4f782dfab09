# SPDX-License-Identifier: LGPL-2.1-or-later
"""start.py [bare]: the times in ms of the import, of opening a context ("context") and of an operation
("first").

With "bare" it imports only asyncio, which gives the floor of "import".
"""

import sys
import time

began = time.perf_counter()
import asyncio  # noqa: E402

if sys.argv[1:] != ["bare"]:
    import aioxen

imported = time.perf_counter()
import json  # noqa: E402


async def main() -> dict[str, float]:
    if sys.argv[1:] == ["bare"]:
        return {"import": imported - began}
    entered = time.perf_counter()
    async with aioxen.Context() as xen:
        opened = time.perf_counter()
        await xen.domain_get_name(0)
        first = time.perf_counter()
    return {"import": imported - began, "context": opened - entered, "first": first - opened}


print(json.dumps({name: seconds * 1000 for name, seconds in asyncio.run(main()).items()}))
