# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulator plays the drivers of devices: Debian's xl attaches and detaches disks and interfaces."""

from pathlib import Path

import pytest
from sim_support import World, WriteConfig

VBD, VIF = "/local/domain/{0}/backend/vbd/{1}/51712", "/local/domain/{0}/backend/vif/{1}/0"
FRONT_VBD, FRONT_VIF = "/local/domain/{0}/device/vbd/51712", "/local/domain/{0}/device/vif/0"
LEFT = "xenstore-ls -f / | grep -E 'vbd|vif' || true; aioxen-sim-ctl loops"


@pytest.fixture
def guest(config: WriteConfig, tmp_path: Path) -> WriteConfig:
    """Writes the configuration of a guest with one file disk and one network interface."""
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))

    def write(does: str = "b", name: str = "one", **more: str) -> Path:
        path = config("pvh", does, name=name, **more)
        path.write_text(f'{path.read_text()}disk=["{image},raw,xvda,w"]\nvif=["bridge=xenbr0"]\n')
        return path

    return write


def state(path: str, wanted: int) -> str:
    """Returns a command that waits until the node `state` in a directory has a value."""
    read = f"$(xenstore-read {path}/state 2>/dev/null)"
    return (
        f'for i in $(seq 300); do [ "{read}" != {wanted} ] || break; sleep 0.01; done; echo {wanted} "{read}"'
    )


def equal_pairs(out: str) -> int:
    """Counts the lines that the command of state() has printed. Each line must have the wanted value."""
    pairs = [line.split() for line in out.splitlines()]
    assert all(len(pair) == 2 and pair[0] == pair[1] for pair in pairs), out
    return len(pairs)


def test_devices_connect_and_leave_nothing(world: World, guest: WriteConfig) -> None:
    sides = [VBD.format(0, 1), FRONT_VBD.format(1), VIF.format(0, 1), FRONT_VIF.format(1)]
    waits = "; ".join(state(side, 4) for side in sides)
    result = world(f"xl create -q {guest()}; {waits}; xl destroy one >/dev/null; {LEFT}")
    assert equal_pairs(result.stdout) == 4
    assert "error" not in result.stderr


def test_devices_of_a_paused_guest_wait_for_it(world: World, guest: WriteConfig) -> None:
    vbd, vif = VBD.format(0, 1), VIF.format(0, 1)
    script = f"""xl create -qp {guest()}; sleep 0.1; xenstore-read {vbd}/state {FRONT_VBD.format(1)}/state
        xenstore-read {vif}/state {FRONT_VIF.format(1)}/state
        xl unpause one; {state(vbd, 4)}; {state(vif, 4)}"""
    out = world(script).stdout.split()
    assert out == ["2", "1", "2", "1", "4", "4", "4", "4"]


def test_hot_plug_and_unplug(world: World, guest: WriteConfig, tmp_path: Path) -> None:
    (tmp_path / "more").write_bytes(bytes(1 << 20))
    script = f"""
        xl create -q {guest()}; {state(VBD.format(0, 1), 4)}; {state(VIF.format(0, 1), 4)}
        xl block-attach one file:{tmp_path}/more xvdb r; xl network-attach one bridge=xenbr0
        {state("/local/domain/0/backend/vbd/1/51728", 4)}; {state("/local/domain/0/backend/vif/1/1", 4)}
        xl block-detach one xvda; xl network-detach one 0; xl block-detach one xvdb; xl network-detach one 1
        {LEFT}"""
    assert equal_pairs(world(script).stdout) == 4


def test_the_block_script_refuses_to_share(world: World, guest: WriteConfig) -> None:
    second = f"xl create -q {guest(name='two')} || echo refused"
    script = f"xl create -q {guest()}; {second}; aioxen-sim-ctl loops | cut -d ' ' -f 1"
    result = world(script)
    assert result.stdout.split() == ["refused", "0"]
    assert "which is mounted in a guest domain" in result.stderr


def test_a_missing_image(world: World, guest: WriteConfig, tmp_path: Path) -> None:
    script = f"xl create -q {guest()}; xl block-attach one file:{tmp_path}/none xvdb w || echo refused"
    assert world(script).stdout == "refused\n"


# The next tests make a disk without a toolstack. They write only the nodes that the drivers read.
DISK, FRONT = VBD.format(0, 1), FRONT_VBD.format(1)
BY_HAND = f"xenstore-write {FRONT}/state 1 {DISK}/frontend {FRONT} {DISK}/online 1 {DISK}/state 1"
DEVICE = f"xenstore-write {DISK}/physical-device 7:0"
DETACH = f"xenstore-write {DISK}/online 0 {DISK}/state 5"
NO_DISK = "2 creating vbd structure"


def test_a_wrong_device_number_is_an_error_of_the_backend(world: World, config: WriteConfig) -> None:
    script = f"""
        xl create -qp {config("pvh")}; {BY_HAND}; xenstore-write {DISK}/physical-device 0:1
        {state(DISK, 5)}; xenstore-read /local/domain/0/error/backend/vbd/1/51712/error"""
    assert world(script).stdout == f"5 5\n{NO_DISK}\n"


@pytest.mark.parametrize(
    ("behaviour", "back", "front", "error"),
    [
        ("backend all mute", 1, 1, ""),
        ("backend all/vif mute", 4, 4, ""),
        ("backend all/vbd error", 6, 6, f"0/error/backend/vbd/1/51712/error {NO_DISK}"),
        ("backend all error=no-luck", 6, 6, "0/error/backend/vbd/1/51712/error no-luck"),
        ("frontend all mute", 2, 1, ""),
        ("frontend 1/vbd/51712 error", 6, 6, "1/error/device/vbd/51712/error 12 allocating the rings"),
        ("frontend 1/vbd error=odd", 6, 6, "1/error/device/vbd/51712/error odd"),
        ("frontend 1 nonsense", 4, 4, ""),
        ("frontend 1 slow=50", 4, 4, ""),
        ("backend 1 slow=50", 4, 4, ""),
    ],
)
def test_behaviours_at_attach(
    world: World, config: WriteConfig, behaviour: str, back: int, front: int, error: str
) -> None:
    node, _, words = error.partition(" ")
    script = f"""
        xl create -q {config("pvh")}; aioxen-sim-ctl {behaviour}; {BY_HAND}; {DEVICE}; sleep 0.05
        {state(DISK, back)} >&2; {state(FRONT, front)} >&2
        {f"xenstore-read /local/domain/{node}" if node else "echo"}"""
    result = world(script)
    assert result.stdout == f"{words}\n"
    assert equal_pairs(result.stderr) == 2


@pytest.mark.parametrize(
    ("behaviour", "back", "front"),
    [
        ("plays", 6, 6),
        ("refuses", 5, 5),
        ("refuses=100", 6, 6),
        ("mute", 5, 4),
        ("nonsense=20", 6, 6),
    ],
)
def test_behaviours_at_detach(
    world: World, config: WriteConfig, behaviour: str, back: int, front: int
) -> None:
    script = f"""
        xl create -q {config("pvh")}; {BY_HAND}; {DEVICE}; {state(DISK, 4)}; {state(FRONT, 4)}
        aioxen-sim-ctl frontend 1 {behaviour}; {DETACH}; sleep 0.05
        {state(DISK, back)}; {state(FRONT, front)}"""
    assert equal_pairs(world(script).stdout) == 4


def test_a_refusal_has_the_words_of_the_kernel(world: World, config: WriteConfig) -> None:
    """The guest's command line makes its frontend refuse to be detached."""
    script = f"""
        xl create -q {config("pvh", "b frontend=refuses", name="one")}; {BY_HAND}; {DEVICE}; {state(FRONT, 4)}
        {DETACH}; {state(FRONT, 5)}; xenstore-read /local/domain/1/error/device/vbd/51712/error"""
    assert world(script).stdout.splitlines()[2] == "16 Device in use; refusing to close"


@pytest.mark.parametrize(("behaviour", "asked"), [("deletes", True), ("deletes-early", False)])
def test_a_guest_removes_its_own_directory(
    world: World, config: WriteConfig, behaviour: str, *, asked: bool
) -> None:
    script = f"""
        xl create -q {config("pvh")}; aioxen-sim-ctl frontend 1 {behaviour}; {BY_HAND}; {DEVICE}
        {f"{state(FRONT, 4)} >&2; {DETACH}" if asked else ":"}
        {state(DISK, 6)}; xenstore-exists {FRONT} || echo removed"""
    assert world(script).stdout == "6 6\nremoved\n"


def test_a_network_interface_that_was_never_connected_stays_closing(
    world: World, config: WriteConfig
) -> None:
    vif, front = VIF.format(0, 1), FRONT_VIF.format(1)
    script = f"""
        xl create -qp {config("pvh")}
        xenstore-write {front}/state 1 {vif}/frontend {front} {vif}/online 1 {vif}/state 1; {state(vif, 2)}
        xenstore-write {vif}/online 0 {vif}/state 5; xenstore-rm {front}; sleep 0.1; {state(vif, 5)}"""
    assert equal_pairs(world(script).stdout) == 2


def test_a_driver_domain_serves_and_cleans_up(world: World, config: WriteConfig) -> None:
    vif, front = VIF.format(1, 2), FRONT_VIF.format(2)
    script = f"""
        xl create -q {config("pvh", "b driver", name="net")}; xl create -q {config("pvh", name="one")}
        xl network-attach one backend=net; {state(vif, 4)}; {state(front, 4)}
        xl network-detach one 0; xenstore-exists {vif} || xenstore-exists {front} || echo gone"""
    assert world(script).stdout == "4 4\n4 4\ngone\n"


def test_a_driver_domain_that_is_paused_does_nothing(world: World, config: WriteConfig) -> None:
    vif, front = VIF.format(1, 2), FRONT_VIF.format(2)
    script = f"""
        xl create -q {config("pvh", "b driver", name="net")}; xl create -q {config("pvh", name="one")}
        xl pause net; xenstore-write {front}/state 1 {vif}/frontend {front} {vif}/online 1 {vif}/state 1
        sleep 0.1; {state(vif, 1)}; xl unpause net; {state(vif, 4)}"""
    assert equal_pairs(world(script).stdout) == 2


def test_a_restarted_xenstored_has_drivers(world: World, config: WriteConfig) -> None:
    script = f"""
        aioxen-sim-ctl xenstored kill; aioxen-sim-ctl xenstored start
        xl create -q {config("pvh")}; {BY_HAND}; {DEVICE}; {state(FRONT, 4)}"""
    assert equal_pairs(world(script).stdout) == 1


@pytest.mark.parametrize(
    "order",
    ["frontend x plays", "frontend 1/ plays", "frontend 1 dance", "frontend 1 slow", "frontend 1 mute=1",
     "backend 1 refuses", "backend 99999 plays", "backend 1/vbd/x mute"],
)  # fmt: skip
def test_wrong_orders(world: World, order: str) -> None:
    assert "aioxen-sim-ctl: " in world(f"aioxen-sim-ctl {order}", status=1).stderr


@pytest.mark.parametrize("acts", ["60", "400 7"])
def test_a_hostile_guest_writes_only_where_it_may(world: World, guest: WriteConfig, acts: str) -> None:
    """The guest changes nodes of its frontends. It changes no node of a backend or of the toolstack."""
    kept = f"(xenstore-ls -f {DISK} | grep -v state; xenstore-ls -f /libxl/1/device; xenstore-ls -f /vm)"
    script = f"""
        xl create -q {guest()}; {state(FRONT, 4)}; {kept} >before
        aioxen-sim-ctl hostile 1 {acts}; {kept} >after; cmp before after
        xenstore-read {FRONT}/virtual-device | grep -qx 51712 || echo spoilt
        xl destroy one >/dev/null 2>&1; {LEFT}"""
    assert world(f"cd $(mktemp -d); {script}").stdout == "4 4\nspoilt\n"
