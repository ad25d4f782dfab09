# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program that test_fields.py runs. It creates a domain from each configuration of a list, and prints what
each creation makes.

The input is a JSON list of configurations. The output is a list with one item for each configuration. An item
is the error of the creation, or the things that the creation has made. The variable AIOXEN_SIM_TRACE names
the file for the simulator's trace.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aioxen
from aioxen.json import from_json

ON = "on_poweroff", "on_reboot", "on_watchdog", "on_crash", "on_soft_reset"
"""The fields with actions that the domain's owner carries out. The library only stores these fields."""

ASSIGNABLE = [aioxen.DevicePci(bus=bus, func=func, vfunc_mask=1) for bus, func in ((1, 0), (1, 1), (2, 0))]
"""The PCI devices that a configuration may name."""

TRACE = Path(os.environ["AIOXEN_SIM_TRACE"])


def output(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def qemus() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        words = (process / "cmdline").read_text()
        if "xen-qemu-system" in words:
            settings = (process / "environ").read_text().split("\0")
            found += [words, *(word for word in settings if word.startswith(("DISPLAY=", "XAUTHORITY=")))]
    return found


# The parts of the trace that differ from domain to domain.
CHANGING = re.compile(
    r"^foreign\.|unfinished|list|getdomaininfo|scheduler_op dom \S+ \S 1|"
    r"/(start_time|tty|device-model-pid|ring-ref|port|state) = "
)


def general(line: str, dom: aioxen.Domain) -> str:
    """Returns the line with the domain's number and UUID replaced."""
    line = line.replace(str(dom.uuid), "UUID").rstrip("\n")
    line = re.sub(rf'((frontend-id|domid) = )"{dom.domid}"', r"\1DOMID", line)
    return re.sub(
        rf"(?<=[/\0-]){dom.domid}(?=[/\0, ]|$)|(?<=dom ){dom.domid}\b|(?<=vif){dom.domid}(?=\.)",
        "DOMID",
        line,
    )


async def observe(xen: aioxen.Context, config: dict[str, Any]) -> dict[str, Any]:
    start = TRACE.stat().st_size
    try:
        dom = await xen.domain_create(from_json(aioxen.DomainConfig, json.dumps(config)))
    except aioxen.Error as error:
        return {"error": type(error).__name__, "words": str(error)}
    with TRACE.open() as trace:
        trace.seek(start)
        seen = [line.split(" ", 2)[2] for line in trace if line.startswith(f"{os.getpid()} ")]
    seen += output("xenstore-ls", "-f") + output("aioxen-sim-ctl", "links") + qemus()
    stored = await dom.configuration()
    seen += [f"{name} {getattr(stored, name)}" for name in ON]
    await dom.destroy()
    return {"seen": sorted({general(line, dom) for line in seen if not CHANGING.search(line)})}


async def main() -> None:
    configs = json.loads(Path(sys.argv[1]).read_text())
    async with aioxen.Context() as xen:
        for pci in ASSIGNABLE:
            await xen.pci_assignable_add(pci, True)
        print(json.dumps([await observe(xen, config) for config in configs]))
        for pci in ASSIGNABLE:
            await xen.pci_assignable_remove(pci, True)


asyncio.run(main())
