# SPDX-License-Identifier: LGPL-2.1-or-later
"""HVM guests are made and destroyed while their device models misbehave. Afterwards no process, socket,
descriptor, node, file or interface is left.

AIOXEN_HVM_LIVES=N is the number of guests; `make sweep` has 1,000.
"""

from __future__ import annotations

import asyncio
import copy
import os
import signal
from collections.abc import Callable

import aioxen
import pytest
from aioxen import DeviceDisk, DomainConfig
from leftovers import check_nothing_left, snapshot
from test_device_model import qemus
from worldly import descriptors

Sim = Callable[..., str]

LIVES = int(os.environ.get("AIOXEN_HVM_LIVES", "50"))
AT_ONCE = 5

CONDUCTS = (
    "plays",
    "slow=30",
    "mute",
    "error=no-memory",
    "dies=no-memory",
    "lies=garbage",
    "lies=later-silent",
    "lies=later-types",
    "nonsense=2000",
    "forks",
)


async def life(xen: aioxen.Context, config: DomainConfig, medium: str, conduct: str, signals: int) -> str:
    """Makes, uses and destroys one guest. Returns the last step that succeeded. Calls to a QEMU that never
    answers have a short time limit."""
    patience = {"mute": 0.5, "lies=later-silent": 0.5}.get(conduct, 60)
    try:
        dom = await xen.domain_create(config, timeout=0.5 if conduct == "mute" else 60)
    except aioxen.Error:
        return "not made"
    reached = "made"
    try:
        await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=medium), timeout=patience)
        await dom.unpause()
        reached = "inserted"
    except aioxen.Error:
        pass
    for pid, words in qemus().items():
        if signals and words[words.index("-xen-domid") + 1] == str(dom.domid):
            os.kill(pid, signals)
    await dom.destroy(timeout=60)
    return reached


@pytest.mark.skipif("AIOXEN_SIM_DIR" not in os.environ, reason="the simulator plays QEMU")
async def test_nothing_is_left(
    xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str], sim: Sim
) -> None:
    warm = await xen.domain_create(hvm)
    await warm.destroy()
    before, open_before = snapshot(), descriptors()
    reached: dict[str, set[str]] = {conduct: set() for conduct in CONDUCTS}
    for first in range(0, LIVES, AT_ONCE):
        turn = first // AT_ONCE
        conduct = CONDUCTS[turn % len(CONDUCTS)]
        sim("qemu", "all", conduct)
        lives = []
        for number in range(AT_ONCE):
            config = copy.deepcopy(hvm)
            config.c_info.name = f"hvm{number}"
            config.disks.pop(0)
            config.nics[0].mac = bytes([0, 0x16, 0x3E, 0, 1, number])
            signals = {1: signal.SIGKILL, 2: signal.SIGSTOP if conduct == "plays" else 0}.get(number, 0)
            # This QEMU has a child process. The library kills the child only when it ends QEMU itself. So the
            # test must not kill this QEMU.
            if conduct == "forks":
                signals = 0
            lives.append(life(xen, config, hvm_files["cd"], conduct, signals))
        reached[conduct] |= set(await asyncio.gather(*lives))
    sim("behaviours", "clear")
    ends = dict.fromkeys(CONDUCTS, "inserted")
    ends |= dict.fromkeys(("mute", "error=no-memory", "dies=no-memory", "lies=garbage"), "not made")
    ends |= dict.fromkeys(("lies=later-silent", "lies=later-types"), "made")
    assert reached == {conduct: {end} for conduct, end in ends.items()}
    assert qemus() == {}
    check_nothing_left(before)
    assert len(descriptors()) == len(open_before)
