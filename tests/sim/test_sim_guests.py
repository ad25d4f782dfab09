# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first letter of a guest's command line selects the guest's behaviour."""

import shlex

import pytest
from sim_support import World, WriteConfig, domains

STOPPED = {"p": "bs", "r": "bsr", "c": "bsc", "d2": "bs", "l2": "bs"}
RUNNING = {"b": "b", "s": "r", "l": "b", "d9": "b"}


def order(domid: int) -> str:
    """Returns the command that asks a guest to power off, as `xl shutdown` does without waiting."""
    return f"xenstore-write /local/domain/{domid}/control/shutdown poweroff"


@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_each_letter(world: World, config: WriteConfig, kind: str) -> None:
    expected = STOPPED | RUNNING
    create = "".join(f"xl create -q {config(kind, does)}\n" for does in expected)
    found = domains(world(f"{create} sleep 0.25; xl list").stdout)
    assert {
        name.removeprefix(f"{kind}-"): state for name, (_, state) in found.items() if name != "Domain-0"
    } == expected


def test_without_a_command_line_it_powers_off(world: World, config: WriteConfig) -> None:
    found = domains(world(f"xl create -q {config('pvh', '', name='one')}; sleep 0.02; xl list").stdout)
    assert found["one"][1] == "bs"


def test_a_delay_has_the_given_length(world: World, config: WriteConfig) -> None:
    cfg = config("pvh", "d4", name="one")
    script = f"""xl create -qp {cfg}; date +%s%N; xl unpause one
        until xl list one | grep -q -- '---s--\\|-b-s--'; do sleep 0.005; done; date +%s%N"""
    begin, end = map(int, world(script).stdout.split())
    assert 0.4 <= (end - begin) / 1e9 < 0.6


def test_a_paused_guest_does_not_run(world: World, config: WriteConfig) -> None:
    cfg = config("pv", "d1", name="one"), config("pvh", "p", name="two"), config("pvh", "l", name="three")
    script = f"""
        xl create -q {cfg[0]}; xl pause one; xl create -qp {cfg[1]}
        xl create -q {cfg[2]}; sleep 0.02; xl pause three; {order(3)}
        sleep 0.15; xl list; xl unpause one; xl unpause two; xl unpause three; sleep 0.03; echo; xl list"""
    paused, running = map(domains, world(script).stdout.split("\n\n"))
    assert [paused[name][1] for name in ("one", "two", "three")] == ["bp", "bp", "bp"]
    assert [running[name][1] for name in ("one", "two", "three")] == ["bs", "bs", "bs"]


def test_a_blocking_guest_does_not_acknowledge(world: World, config: WriteConfig) -> None:
    script = (
        f"xl create -q {config('pv', 'b', name='one')}; {order(1)}; sleep 0.1; "
        "xenstore-read /local/domain/1/control/shutdown; xl list"
    )
    out = world(script).stdout
    assert out.startswith("poweroff\n")
    assert domains(out)["one"][1] == "b"


def test_a_listening_guest_announces_its_features(world: World, config: WriteConfig) -> None:
    script = (
        f"xl create -q {config('pvh', 'l')}; sleep 0.05; for what in poweroff reboot suspend; do "
        "xenstore-read /local/domain/1/control/feature-$what; done"
    )
    assert world(script).stdout.split() == ["1", "1", "1"]


@pytest.mark.parametrize(("reason", "state"), [("poweroff", "bs"), ("reboot", "bsr"), ("crash", "bsc")])
def test_ctl_can_stop_a_guest(world: World, config: WriteConfig, reason: str, state: str) -> None:
    out = world(
        f"xl create -q {config('pvh', 'b', name='one')}; aioxen-sim-ctl shutdown 1 {reason}; xl list"
    ).stdout
    assert domains(out)["one"] == (1, state)


def test_a_spinning_guest_uses_processor_time(world: World, config: WriteConfig) -> None:
    show = "xl list one | tail -1"
    script = (
        f"xl create -q {config('pv', 's', name='one')}; sleep 0.3; xl pause one; {show}; sleep 0.2; {show}"
    )
    first, second = (float(line.split()[5]) for line in world(script).stdout.splitlines())
    assert 0.2 <= first == second


def test_many_guests_share_one_process(world: World, config: WriteConfig) -> None:
    count = 40
    files = " ".join(str(config("pvh", "l", name=f"many{i}")) for i in range(count))
    script = f"""
        for config in {files}; do xl create -qe $config; done
        ls -d /proc/[0-9]* | wc -l
        for i in $(seq {count}); do xenstore-write /local/domain/$i/control/shutdown poweroff; done
        until [ $(xl list | grep -c 'b-s') = {count} ]; do sleep 0.01; done"""
    assert int(world(script).stdout) < 10


HOLDER = """
import ctypes, os, subprocess, sys, threading, time

def xl(command):
    return subprocess.run(["xl", *command.split()], check=True, capture_output=True, text=True).stdout

library = ctypes.CDLL(None)  # the simulated one is preloaded

def hold():
    library.xengnttab_open.restype = library.xengnttab_map_grant_ref.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.xengnttab_open(None, 0))
    assert library.xengnttab_map_grant_ref(handle, 1, 1, 1)  # the page of its xenstore ring
    os.write(told, b"!")
    time.sleep(60)

hears, told = os.pipe()
holder = os.fork()
if not holder and sys.argv[1] == "process":
    hold()
if not holder:
    threading.Thread(target=hold).start()
    library.pthread_exit(None)
os.close(told)
assert os.read(hears, 1)
while sys.argv[1] == "thread" and ") Z" not in open(f"/proc/{holder}/stat").read():
    pass
xl("destroy one")
time.sleep(0.2)
held = xl("list")
os.kill(holder, 9)
os.waitid(os.P_PID, holder, os.WEXITED | os.WNOWAIT)
until = time.monotonic() + 3  # xenconsoled maps its console until it is notified
while (free := xl("list")).count("\\n") > 2 and time.monotonic() < until:
    pass
print(held, free, sep="\\n", end="")
"""


@pytest.mark.parametrize("holder", ["process", "thread"])
def test_a_dying_guest_stays_while_it_maps_its_memory(world: World, config: WriteConfig, holder: str) -> None:
    """The mappings of a process end with its last thread, before the parent reaps the process."""
    program = f"/usr/bin/python3 -c {shlex.quote(HOLDER)} {holder}"
    script = f"xl create -q {config('pv', 'b', name='one')}; {program}"
    held, free = map(domains, world(script).stdout.split("\n\n"))
    assert ["d" in state for domid, state in held.values() if domid == 1] == [True]
    assert list(free) == ["Domain-0"]
