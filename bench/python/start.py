# SPDX-License-Identifier: LGPL-2.1-or-later
"""start.py [bare]: the times in ms of the import ("import", and "import_cpu" in processor time), of opening a
context ("context") and of an operation ("first").

With "bare" it imports only asyncio, which gives the floor of both imports.
"""

import sys
import time

began, began_cpu = time.perf_counter(), time.process_time()
import asyncio  # noqa: E402

if sys.argv[1:] != ["bare"]:
    import aioxen

imported, imported_cpu = time.perf_counter(), time.process_time()
import json  # noqa: E402


async def main() -> dict[str, float]:
    imports = {"import": imported - began, "import_cpu": imported_cpu - began_cpu}
    if sys.argv[1:] == ["bare"]:
        return imports
    entered = time.perf_counter()
    async with aioxen.Context() as xen:
        opened = time.perf_counter()
        await xen.domain_get_name(0)
        first = time.perf_counter()
    return {**imports, "context": opened - entered, "first": first - opened}


print(json.dumps({name: seconds * 1000 for name, seconds in asyncio.run(main()).items()}))
