# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hypervisor without a capability refuses domains that need it. The library works without the
capability, or the library's error names the capability."""

import pytest
from sim_support import BUILD, World, WriteConfig

CREATE = f"""PYTHONPATH='{BUILD}/python' /usr/bin/python3 - <<'END'
import asyncio, aioxen

async def main():
    async with aioxen.Context() as xen:
        for make in aioxen.pv, aioxen.pvh:
            try:
                dom = await xen.domain_create(make("guest", "{BUILD}/guest/tiny", memory="24M", cmdline="p"))
            except aioxen.Error as error:
                cause = error.message.partition(" (domain_create")[0]
                print(make.__name__, type(error).__name__, cause)
                continue
            await dom.unpause()
            print(make.__name__, (await dom.wait_shutdown()).name)
            await dom.destroy()

asyncio.run(main())
END"""

RUN = {kind: f"{kind} POWEROFF" for kind in ("pv", "pvh")}
TYPE = "NotSupportedError d_config.c_info.type:"
NO_PV = f"pv {TYPE} this hypervisor runs no PV domains"
NO_HVM = f"pvh {TYPE} this host has no hardware virtualisation (VT-x or AMD-V), which PVH domains need"
NO_PAGING = (
    f"pvh {TYPE} this host has neither hardware-assisted paging (hap) nor shadow paging; "
    "PVH domains need one of them"
)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (["gnttab-v2"], list(RUN.values())),
        (["gnttab-v1"], list(RUN.values())),
        (["gnttab-v1", "gnttab-v2"], [f"{k} {TYPE} this hypervisor has no grant tables" for k in RUN]),
        (["hap"], list(RUN.values())),
        (["shadow"], list(RUN.values())),
        (["hap", "gnttab-v2"], list(RUN.values())),
        (["hap", "shadow"], [RUN["pv"], NO_PAGING]),
        (["hvm", "hap", "shadow"], [RUN["pv"], NO_HVM]),
        (["pv"], [NO_PV, RUN["pvh"]]),
    ],
)
def test_domains_are_made_with_what_the_host_has(
    world: World, missing: list[str], expected: list[str]
) -> None:
    options = [option for name in missing for option in ("--without", name)]
    assert world(CREATE, *options).stdout.splitlines() == expected


@pytest.mark.parametrize(("missing", "kind"), [("hvm", "pvh"), ("pv", "pv")])
def test_the_hypervisor_refuses_what_it_lacks(
    world: World, config: WriteConfig, missing: str, kind: str
) -> None:
    result = world(f"! xl create -q {config(kind)}; xl info", "--without", missing)
    (capabilities,) = (line for line in result.stdout.splitlines() if line.startswith("virt_caps"))
    assert missing not in capabilities.split()
