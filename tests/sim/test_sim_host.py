# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loop devices and network interfaces of a simulated machine."""

import re
from pathlib import Path

from sim_support import World

UNTIL = "for i in $(seq 500); do {} && break; sleep 0.01; done"


def test_a_bridge_exists_by_option(world: World) -> None:
    assert world("aioxen-sim-ctl links | grep bridge").stdout.split()[0] == "xenbr0"
    links = "aioxen-sim-ctl links | grep bridge | cut -d ' ' -f 1"
    assert world(links, "--bridge", "one", "--bridge", "two").stdout.split() == ["one", "two"]
    assert world("aioxen-sim-ctl links | grep bridge || echo none", "--bridge", "").stdout == "none\n"


def test_the_worlds_interfaces_are_those_of_iproute2(world: World) -> None:
    script = """
        ip link add br1 type bridge; ip link add v1 type dummy
        ip link set v1 mtu 1400 address fe:ff:ff:ff:ff:ff master br1 up
        aioxen-sim-ctl links | grep v1; ip link set v1 mtu 9 || ip link delete v1
        aioxen-sim-ctl links | grep v1 || echo gone"""
    done = world(script)
    assert done.stdout == "v1 dummy up br1 1400 fe:ff:ff:ff:ff:ff\ngone\n"
    assert "mtu less than device minimum" in done.stderr


def test_a_world_has_loop_devices_of_its_own(world: World, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    script = f"""
        aioxen-sim-ctl loop take {tmp_path}/disk; aioxen-sim-ctl loop take -r {tmp_path}/disk
        aioxen-sim-ctl loops; aioxen-sim-ctl loop free 0; aioxen-sim-ctl loops
        aioxen-sim-ctl loop free 0 || echo free"""
    done = world(script)
    file = f"{tmp_path}/disk"
    assert done.stdout == f"0\n1\n0 w {file}\n1 r {file}\n1 r {file}\nfree\n"
    assert "loop0: No such device or address" in done.stderr


def test_a_backend_has_an_interface_while_it_is_open(world: World, tmp_path: Path) -> None:
    kernel = Path("build/guest/tiny").resolve()
    config = tmp_path / "guest.cfg"
    config.write_text(
        f'name="one"\ntype="pvh"\nkernel="{kernel}"\nmemory=64\nvif=["bridge=xenbr0"]\ncmdline="b"\n'
    )
    here = "aioxen-sim-ctl links | grep -q vif1.0"
    script = f"""
        xl create -q {config}; aioxen-sim-ctl links | grep vif; xl network-detach one 0
        {UNTIL.format("! " + here)}; {here} || echo gone"""
    assert re.fullmatch(r"vif1\.0 vif up xenbr0 1500 \S+\ngone\n", world(script).stdout)
