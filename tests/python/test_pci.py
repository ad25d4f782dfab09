# SPDX-License-Identifier: LGPL-2.1-or-later
"""PCI devices from Python and from the command line. The output is that of xl."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import xor
from pathlib import Path

import aioxen
import pytest
from command_line import aioxen_
from saving import started
from worldly import Configure, remove_node, write_node

CARD = aioxen.DevicePci(bus=1, vfunc_mask=1)


async def test_a_device_is_given_to_a_guest_and_taken_back(xen: aioxen.Context, guest: Configure) -> None:
    config = guest("b", machine="pv")
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    dom = await xen.domain_create(config)
    await dom.unpause()
    with pytest.raises(aioxen.NotAssignableError, match=r"0000:01:00\.0 is not bound to pciback"):
        await dom.pci_add(CARD)
    await xen.pci_assignable_add(CARD, True)
    assert [(pci.bus, pci.func) for pci in await xen.pci_assignable()] == [(1, 0)]
    await dom.pci_add(CARD)
    assert [(pci.bus, pci.func) for pci in await dom.pci_list()] == [(1, 0)]
    assert [pci.bus for pci in (await dom.configuration()).pcidevs] == [1]
    with pytest.raises(aioxen.BusyError, match=rf"domain {dom.domid} has the device 0000:01:00\.0"):
        await xen.pci_assignable_remove(CARD, True)
    await dom.pci_remove(CARD)
    assert not await dom.pci_list()
    assert not (await dom.configuration()).pcidevs
    await dom.destroy()
    await xen.pci_assignable_remove(CARD, True)


async def test_the_error_of_a_former_device_is_ignored(xen: aioxen.Context, guest: Configure) -> None:
    # Linux's pcifront writes this error node when it has released its last device.
    config = guest("b", machine="pv")
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    dom = await xen.domain_create(config)
    await dom.unpause()
    await xen.pci_assignable_add(CARD, True)
    write_node(f"/local/domain/{dom.domid}/error/device/pci/0/error", "22 freeing event channel 8")
    await dom.pci_add(CARD)
    assert [pci.bus for pci in await dom.pci_list()] == [1]
    await dom.destroy()
    await xen.pci_assignable_remove(CARD, True)


async def test_a_guest_with_a_device_is_neither_saved_nor_migrated(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    config = guest("l", machine="pv")
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    dom = await started(xen, config)
    await xen.pci_assignable_add(CARD, True)
    await dom.pci_add(CARD)
    path = f"/local/domain/0/backend/pci/{dom.domid}/0/num_devs"
    with pytest.raises(aioxen.InvalidError, match=path):
        await dom.save(tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []
    for ask in False, True:
        near, far = socket.socketpair()
        far.sendall(b"xl migration receiver ready, send binary domain data.\n")
        with near, far:
            with pytest.raises(aioxen.InvalidError, match=path):
                await dom.migrate(near, ask=ask)
            near.shutdown(socket.SHUT_WR)
            assert far.recv(1) == b""  # Nothing was sent.
    await dom.pci_remove(CARD)
    await dom.save(tmp_path / "saved")
    await xen.pci_assignable_remove(CARD, True)


async def test_a_domain_that_is_being_made_gets_no_device(xen: aioxen.Context, guest: Configure) -> None:
    """The operation fails before it changes the device."""
    config = guest("b", machine="pv")
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    dom = await started(xen, config)
    uuid = (await dom.info()).uuid
    mark = f"/tool/aioxen/unfinished/{reduce(xor, uuid.bytes):02x}/{uuid}"
    write_node(mark, "pid=1 start=1")
    with pytest.raises(aioxen.BusyError, match=r"is being made or reset \(.*phase check\)"):
        await dom.pci_add(replace(CARD, seize=True))
    remove_node(mark)
    await dom.destroy()


async def test_a_pvh_guest_has_no_devices(xen: aioxen.Context, guest: Configure) -> None:
    config = guest("b", machine="pvh")
    config.pcidevs = [CARD]
    with pytest.raises(aioxen.NotSupportedError, match="a PVH domain cannot have PCI devices"):
        await xen.domain_create(config)


def test_the_commands_print_what_xl_prints(xl: Callable[..., str], guest: Configure, tmp_path: Path) -> None:
    file = tmp_path / "p.cfg"
    config = guest("b", machine="pv", name="p")
    file.write_text(
        f'name = "p"\ntype = "pv"\nmemory = 16\nkernel = "{config.b_info.kernel}"\n'
        'cmdline = "b"\npassthrough = "enabled"\n'
    )
    xl("create", "-q", str(file))
    for name, bdf in ("card", "01:00.0"), ("disk", "0000:02:00.0"):
        assert aioxen_("pci-assignable-add", "-n", name, bdf).code == 0
    assert set(aioxen_("pci-assignable-list", "-n").out.splitlines()) == set(
        xl("pci-assignable-list", "-n").splitlines()
    )
    number = xl("domid", "p").strip()
    assert aioxen_("pci-attach", number, "01:00.0,permissive=1").code == 0
    assert aioxen_("pci-attach", number, "name=disk").code == 0
    assert aioxen_("pci-list", number).out == xl("pci-list", number)
    assert aioxen_("pci-detach", number, "01:00.0", "disk").code == 0
    assert xl("pci-list", number) == ""
    assert aioxen_("pci-assignable-remove", "-r", "01:00.0").code == 0
    assert aioxen_("pci-assignable-remove", "-r", "disk").code == 0
    assert xl("pci-assignable-list") == ""
    xl("destroy", "p")
