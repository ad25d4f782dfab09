# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real Xen, the command line of a test guest selects the guest's behaviour. The tests observe the
guests by xl."""

import time
from collections.abc import Iterator

import pytest
from launching import Dom0

MEMORY = {"pv": 4, "pvh": 20}  # The least memory for a guest, in MiB, by machine type.
POWEROFF, REBOOT, SUSPEND, CRASH = range(4)
TYPES = pytest.mark.parametrize("kind", ["pv", "pvh"])


def create(dom0: Dom0, kind: str, command_line: str) -> None:
    settings = [
        'name="guest"',
        f'type="{kind}"',
        'kernel="build/guest/tiny"',
        f'extra="{command_line}"',
        f"memory={MEMORY[kind]}",
        *(f'on_{event}="preserve"' for event in ("poweroff", "reboot", "crash")),
    ]
    dom0("xl create -q /dev/null " + " ".join(f"'{setting}'" for setting in settings))


def state(dom0: Dom0) -> str:
    """Returns the state column of xl list. It has a character for each of: running, blocked, paused,
    shutdown, the reason of the shutdown, dying."""
    return dom0("xl list guest").splitlines()[1].split()[4]


def wait_for_shutdown(dom0: Dom0) -> int:
    """Waits for the guest's shutdown. Returns the number of the reason, which xl shows as a letter."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        column = state(dom0)
        if column[3] == "s":
            return "-rsc".index(column[4])
    raise AssertionError("the guest does not shut down")


@pytest.fixture(autouse=True)
def no_guest_left(dom0: Dom0) -> Iterator[None]:
    yield
    dom0("xl destroy guest", check=False)
    assert len(dom0("xl list").splitlines()) == 2


@TYPES
@pytest.mark.parametrize(
    ("command_line", "reason"),
    [("", POWEROFF), ("p", POWEROFF), ("r", REBOOT), ("c", CRASH), ("d3", POWEROFF)],
)
def test_guest_ends_with_the_selected_reason(dom0: Dom0, kind: str, command_line: str, reason: int) -> None:
    create(dom0, kind, command_line)
    assert wait_for_shutdown(dom0) == reason


@TYPES
def test_blocking_guest_ignores_requests(dom0: Dom0, kind: str) -> None:
    create(dom0, kind, "b")
    dom0("xenstore-write /local/domain/$(xl domid guest)/control/shutdown poweroff; sleep 1")
    assert state(dom0) == "-b----"
    assert dom0("xenstore-read /local/domain/$(xl domid guest)/control/shutdown") == "poweroff\n"


@TYPES
def test_spinning_guest_uses_processor_time(dom0: Dom0, kind: str) -> None:
    create(dom0, kind, "s")
    before, after = (float(dom0("sleep 1; xl list guest").splitlines()[1].split()[5]) for _ in range(2))
    assert after > before


@TYPES
@pytest.mark.parametrize(("request_", "reason"), [("shutdown", POWEROFF), ("reboot", REBOOT)])
def test_listening_guest_obeys(dom0: Dom0, kind: str, request_: str, reason: int) -> None:
    create(dom0, kind, "l")
    assert f"reason code {reason}" in dom0(f"xl {request_} -w guest")
    assert dom0("xenstore-read /local/domain/$(xl domid guest)/control/shutdown") == "\n"


@TYPES
def test_listening_guest_suspends(dom0: Dom0, kind: str) -> None:
    create(dom0, kind, "l")
    dom0("xenstore-write /local/domain/$(xl domid guest)/control/shutdown suspend")
    assert wait_for_shutdown(dom0) == SUSPEND


@TYPES
def test_listening_guest_powers_off_after_its_delay(dom0: Dom0, kind: str) -> None:
    create(dom0, kind, "l5")
    assert wait_for_shutdown(dom0) == POWEROFF


@TYPES
def test_guest_prints_its_command_line_on_the_console(dom0: Dom0, kind: str) -> None:
    create(dom0, kind, "l hello")
    assert "tiny: l hello" in dom0("timeout 2 xl console guest", check=False)


def test_linux_guest_boots_and_obeys(dom0: Dom0) -> None:
    settings = [
        'name="guest"',
        'type="pv"',
        'kernel="/tmp/kernel"',
        'ramdisk="build/guest/linux-initramfs"',
        'extra="console=hvc0 quiet loglevel=3 hello=1"',
        "memory=96",
        'on_poweroff="preserve"',
    ]
    # xl reads the kernel in parts, and such reading is slow by 9p.
    dom0("cp build/guest/linux-kernel /tmp/kernel")
    dom0("xl create -q /dev/null " + " ".join(f"'{setting}'" for setting in settings))
    dom0("timeout 30 xl console guest >/tmp/console &")
    assert "hello=1" in dom0("until grep linux: /tmp/console; do sleep 0.1; done")
    assert "reason code 0" in dom0("xl shutdown -w guest")
