# SPDX-License-Identifier: LGPL-2.1-or-later
"""Injected faults make calls of the simulated hypervisor fail or wait."""

import pytest
from sim_support import World, WriteConfig, domains

BUSY = "Device or resource busy"


@pytest.mark.parametrize(
    ("when", "failing"),
    [("*", "12345"), ("2", "2"), ("3+", "345"), ("2-3", "23"), ("/2", "24"), ("", "12345")],
)
def test_which_calls_fail(world: World, config: WriteConfig, when: str, failing: str) -> None:
    rule = ":".join(filter(None, ["domctl.pausedomain", when, "EBUSY"]))
    script = f"""
        xl create -q {config("pvh")}; aioxen-sim-ctl fault add {rule} >/dev/null
        for i in 1 2 3 4 5; do xl pause 1 2>&1 | grep -q "{BUSY}" && printf $i || :; done"""
    assert world(script).stdout == failing


def test_the_list_shows_the_hits_of_a_rule(world: World, config: WriteConfig) -> None:
    script = f"""
        aioxen-sim-ctl fault add domctl.pausedomain:2:EBUSY; aioxen-sim-ctl fault add domctl.max_mem:150ms
        aioxen-sim-ctl fault add dying=7
        xl create -q {config("pvh")}; for i in 1 2 3; do xl pause 1 || :; done; aioxen-sim-ctl fault list"""
    assert world(script).stdout.splitlines() == [
        "1",
        "2",
        "1 domctl.pausedomain:2:EBUSY 0 3 1",
        "2 domctl.max_mem:*:150ms 0 1 1",
        "0 dying=7 0 0 0",
    ]


def test_rules_can_be_cleared(world: World) -> None:
    script = """
        for i in 1 2 3; do aioxen-sim-ctl fault add sysctl.physinfo:EIO >/dev/null; done
        aioxen-sim-ctl fault clear 2; aioxen-sim-ctl fault list | cut -c1; aioxen-sim-ctl fault clear
        aioxen-sim-ctl fault list; xl info >/dev/null"""
    assert world(script).stdout.split() == ["1", "3"]


def test_the_environment_affects_one_process(world: World, config: WriteConfig) -> None:
    script = f"""
        xl create -q {config("pvh")}
        AIOXEN_SIM_FAULTS=domctl.pausedomain:EBUSY xl pause 1 2>&1 | grep -c "{BUSY}"; xl pause 1"""
    result = world(script)
    assert (result.stdout, result.stderr) == ("1\n", "")


def test_the_option_does_not_affect_the_daemons(world: World) -> None:
    script = "xl list 2>/dev/null || echo refused; xenstore-read /local/domain/0/name"
    assert world(script, "--fault", "xencall_open:EIO").stdout.split() == ["refused", "Domain-0"]


def test_a_rule_for_one_process_does_not_affect_others(world: World, config: WriteConfig) -> None:
    script = f"""
        xl create -q {config("pvh")}; aioxen-sim-ctl fault add --pid $$ domctl.pausedomain:EBUSY >/dev/null
        xl pause 1; exec xl pause 1"""
    assert world(script).stderr.count(BUSY) == 1


def test_a_delay_affects_only_its_caller(world: World, config: WriteConfig) -> None:
    script = f"""
        xl create -qp {config("pvh", name="one")}
        aioxen-sim-ctl fault add domctl.unpausedomain:400ms >/dev/null
        date +%s%N; xl unpause 1 & sleep 0.05; xl list >/dev/null; date +%s%N; wait; date +%s%N; xl list"""
    out = world(script).stdout.split("\n", 3)
    begin, listed, ended = (int(line) / 1e9 for line in out[:3])
    assert listed - begin < 0.3, "xl list had to wait for the delayed call"
    assert ended - begin >= 0.4
    assert domains(out[3])["one"][1] == "b"


def test_a_destroyed_domain_stays_dying(world: World, config: WriteConfig) -> None:
    script = f"""
        xl create -q {config("pvh", name="one")}; xl destroy one; xl list
        sleep 0.35; echo; xl list; xl create -q {config("pv", name="two")}; xl domid two"""
    dying, gone = world(script, "--fault", "dying=300").stdout.split("\n\n")
    assert "d" in domains(dying)["(null)"][1]
    assert "one" not in domains(dying)
    assert set(domains(gone)) == {"Domain-0"}
    assert gone.endswith("\n2\n")


def test_xenstored_can_be_slow(world: World) -> None:
    script = """
        aioxen-sim-ctl xenstored stop; timeout 0.1 xenstore-read /local/domain/0/name || echo $?
        xl info >/dev/null & aioxen-sim-ctl xenstored cont; xenstore-read /local/domain/0/name; wait"""
    assert world(script).stdout.split() == ["124", "Domain-0"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("domctl.pausedoman:EIO", "no such call (aioxen-sim-ctl names lists them): 'domctl.pausedoman'"),
        ("domctl.pausedomain:EWRONG", "expected the name of an errno or a delay like 200ms, not 'EWRONG'"),
        ("domctl.pausedomain:0:EIO", "expected *, N, N+, N-M or /N as the time, not '0'"),
        ("domctl.pausedomain:3-2:EIO", "expected *, N, N+, N-M or /N as the time, not '3-2'"),
        ("domctl.pausedomain:1x:EIO", "expected *, N, N+, N-M or /N as the time, not '1x'"),
        ("domctl.pausedomain:200", "expected the name of an errno or a delay like 200ms, not '200'"),
        ("domctl.pausedomain", "expected CALL[:WHEN]:ACTION or dying=MS, not 'domctl.pausedomain'"),
        ("a:b:c:d", "expected CALL[:WHEN]:ACTION or dying=MS, not 'a:b:c:d'"),
        ("dying=soon", "not a number of milliseconds: 'soon'"),
        ("", "expected CALL[:WHEN]:ACTION or dying=MS, not ''"),
    ],
)
def test_an_invalid_fault_is_refused(world: World, spec: str, says: str) -> None:
    by_option = world("true", "--fault", spec, status=125)
    assert by_option.stderr == f"aioxen-sim: --fault: {says}\n"
    assert f"{says}\n" in world(f"aioxen-sim-ctl fault add '{spec}'", "--no-xenstored", status=1).stderr
    if spec:
        outside = world("true", status=125, AIOXEN_SIM_FAULTS=spec)
        assert outside.stderr == f"aioxen-sim: AIOXEN_SIM_FAULTS: {says}\n"
        in_environment = world(f"AIOXEN_SIM_FAULTS='{spec}' xl list", "--no-xenstored", status=1)
        assert in_environment.stderr == f"aioxen-sim: AIOXEN_SIM_FAULTS: {spec}: {says}\n"


def test_calls_are_counted_and_traced(world: World, config: WriteConfig, tmp_path: object) -> None:
    trace = f"{tmp_path}/trace"
    script = (
        f"xl create -q {config('pv')}; for i in 1 2 3; do xl pause 1; done; aioxen-sim-ctl calls domctl.pause"
    )
    assert world(script, "--trace", trace).stdout == "3 domctl.pausedomain\n"
    with open(trace) as lines:
        assert sum(line.endswith(" xl domctl.pausedomain dom 1 -> 0\n") for line in lines) == 3


@pytest.mark.parametrize(
    ("option", "error"),
    [("--no-hypervisor", "No such file or directory"), ("--no-permission", "Permission denied")],
)
def test_a_machine_that_cannot_be_opened(world: World, option: str, error: str) -> None:
    result = world("xl list; xenstore-ls", option, status=1)
    assert error in result.stderr


def test_without_xenstored_the_hypervisor_answers(world: World) -> None:
    script = (
        "xenstore-ls 2>/dev/null || echo none; aioxen-sim-ctl calls; aioxen-sim-ctl xenstored stop 2>&1 || :"
    )
    assert world(script, "--no-xenstored").stdout == "none\naioxen-sim-ctl: there is no xenstored here\n"
