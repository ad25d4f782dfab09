# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's xl, unmodified, does its work on the simulated hypervisor."""

import pytest
from sim_support import World, WriteConfig, domains

both_kinds = pytest.mark.parametrize("kind", ["pv", "pvh"])


def test_lists_domain_zero(world: World) -> None:
    assert domains(world("xl list").stdout) == {"Domain-0": (0, "r")}


def test_says_nothing_on_stderr(world: World) -> None:
    assert world("xl list; xl info >/dev/null").stderr == ""


def test_info_describes_the_machine(world: World) -> None:
    info = world("xl info", "--memory", "1024").stdout
    assert "xen_version            : 4.17.0-sim" in info
    assert "free_memory            : 1024" in info


@both_kinds
def test_creates_paused_and_destroys(world: World, config: WriteConfig, kind: str) -> None:
    out = world(f"xl create -qp {config(kind, name='one')}; xl list; xl destroy one; echo; xl list").stdout
    before, after = map(domains, out.split("\n\n"))
    assert before["one"] == (1, "bp")
    assert "one" not in after


@both_kinds
def test_pauses_and_unpauses(world: World, config: WriteConfig, kind: str) -> None:
    script = f"xl create -q {config(kind, name='one')}; xl pause one; xl list; echo; xl unpause one; xl list"
    paused, running = map(domains, world(script).stdout.split("\n\n"))
    assert paused["one"] == (1, "bp")
    assert running["one"] == (1, "b")


def test_unpausing_a_running_domain_fails(world: World, config: WriteConfig) -> None:
    result = world(f"xl create -q {config('pvh', name='one')}; xl unpause one")
    assert "Invalid argument" in result.stderr


@both_kinds
def test_shutdown_waits_for_the_guest(world: World, config: WriteConfig, kind: str) -> None:
    cfg = config(kind, "l", name="one")
    order = "/local/domain/1/control/shutdown"
    out = world(f"xl create -q {cfg}; xl shutdown -w one 2>&1; xl list; xenstore-read {order}")
    assert "Domain 1 has been shut down, reason code 0" in out.stdout
    assert domains(out.stdout)["one"] == (1, "bs")
    assert out.stdout.endswith("\n\n"), "the guest has not acknowledged"


@both_kinds
def test_xl_restarts_a_guest_that_reboots(world: World, config: WriteConfig, kind: str) -> None:
    cfg = config(kind, "l", name="one", on_reboot="restart")
    world(
        f'xl create -q {cfg}; xl reboot one; until [ "$(xl domid one 2>/dev/null)" = 2 ]; do sleep 0.01; done'
    )


def test_saves_and_restores_pvh(world: World, config: WriteConfig, tmp_path: object) -> None:
    cfg, image = config("pvh", "l", name="one"), f"{tmp_path}/image"
    script = f"""
        xl create -q {cfg}
        xl save one {image}; xl list; echo; xl restore {image}; xl list; echo; xl shutdown -w one; xl list"""
    saved, restored, stopped = map(domains, world(script).stdout.split("\n\n"))
    assert "one" not in saved
    assert restored["one"] == (2, "b")
    assert stopped["one"] == (2, "bs"), "a restored guest listens"


def test_a_guest_goes_on_after_a_checkpoint(world: World, config: WriteConfig, tmp_path: object) -> None:
    cfg = config("pvh", "l", name="one")
    out = world(
        f"xl create -q {cfg}; xl save -c one {tmp_path}/image; xl list; xl shutdown -w one; echo; xl list"
    )
    resumed, stopped = map(domains, out.stdout.split("\n\n"))
    assert resumed["one"] == (1, "b")
    assert stopped["one"] == (1, "bs")


def test_the_console_has_a_terminal(world: World, config: WriteConfig) -> None:
    out = world(f"xl create -q {config('pv')}; xenstore-read /local/domain/1/console/tty").stdout
    assert out.startswith("/dev/pts/")


def test_too_little_memory_on_the_machine(world: World, config: WriteConfig) -> None:
    result = world(f"xl create -q {config('pvh', name='one')} || true; xl list; xl info", "--memory", "20")
    assert "one" not in domains(result.stdout)
    assert "free_memory            : 20" in result.stdout, "the failed creation has left memory behind"
