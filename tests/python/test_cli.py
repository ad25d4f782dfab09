# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands of `aioxen` do what xl's commands of the same names do."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from aioxen import errors
from aioxen.cli import exits, manual
from aioxen.cli.app import app
from command_line import WriteFile, aioxen_
from command_line import cfg as cfg
from worldly import ROOT

Xl = Callable[..., str]

pytestmark = pytest.mark.usefixtures("hypervisor", "kernel", "nothing_left")


def cells(text: str) -> list[list[str]]:
    """Returns the words of each line, without the processor time, which changes."""
    return [
        [w for w in line.split() if not w.replace(".", "").isdecimal() or "." not in w]
        for line in text.splitlines()
    ]


def test_lists_as_xl_does(cfg: WriteFile, xl: Xl) -> None:
    aioxen_("start", cfg("one"), cfg("two"), "--quiet")
    try:
        aioxen_("pause", "two")
        assert cells(aioxen_("list").out) == cells(xl("list"))
        assert cells(aioxen_("list", "one").out) == cells(xl("list", "one"))
        assert cells(aioxen_("vm-list").out) == cells(xl("vm-list"))
        uptimes = [re.sub(r"[0-9]+\n", "", text) for text in (aioxen_("uptime").out, xl("uptime"))]
        assert cells(uptimes[0]) == cells(uptimes[1])
        ours, theirs = (json.loads(text) for text in (aioxen_("list", "-l").out, xl("list", "-l")))
        named = [[(d["domid"], d["config"]["c_info"]["name"]) for d in listed] for listed in (ours, theirs)]
        assert named[0] == named[1]
        assert len(named[0]) == 3
        known = dict(line.split(":", 1) for line in aioxen_("info").out.splitlines())
        xls = dict(line.split(":", 1) for line in xl("info").splitlines())
        changing = {k for k in known if "virt_caps" in k or "free" in k}
        assert {k: v for k, v in known.items() if k not in changing} == {
            k: xls[k] for k in known if k not in changing
        }
        domid = aioxen_("domid", "two").out
        assert domid == xl("domid", "two")
        assert aioxen_("domname", domid.strip()).out == xl("domname", domid.strip()) == "two\n"
    finally:
        aioxen_("destroy", "one", "two")
    assert "one" not in xl("list")


def test_a_new_domain_is_the_one_that_xl_makes(cfg: WriteFile, xl: Xl) -> None:
    file = cfg("web")
    xl("create", "-q", "-p", str(file), 'cmdline="b"')
    theirs = json.loads(xl("list", "-l", "web"))
    xl("destroy", "web")
    aioxen_("create", "-q", "-p", file, 'cmdline="b"')
    ours = json.loads(xl("list", "-l", "web"))
    aioxen_("destroy", "web")
    for config in ours[0]["config"], theirs[0]["config"]:
        config["c_info"].pop("uuid")
        config["c_info"].pop("run_hotplug_scripts", None)
        config["b_info"].pop("claim_mode", None)
        config["b_info"].pop("arch_x86", None)
    assert ours[0]["config"] == theirs[0]["config"]


def test_one_failure_does_not_stop_the_others(cfg: WriteFile) -> None:
    aioxen_("start", cfg("a"), cfg("b"))
    done = aioxen_("destroy", "a", "nosuch", "b", "--json", code=15)
    outcomes = {record["domain"]: record.get("outcome", record.get("exit")) for record in done.records()}
    assert outcomes == {"a": "destroyed", "b": "destroyed", "nosuch": 4}


def test_the_beginning_of_a_command_is_enough(xl: Xl) -> None:
    assert cells(aioxen_("lis").out) == cells(xl("lis"))
    assert "shutdown" in aioxen_("sh", "nosuch", code=2).err
    assert aioxen_("unf", "list", "--json").records() == []


def test_exit_statuses(cfg: WriteFile, tmp_path: Path) -> None:
    assert "nosuch" in aioxen_("list", "nosuch", code=4).err
    aioxen_("create", tmp_path / "nosuch", code=3)
    aioxen_("create", "name=", code=3)
    aioxen_("destroy", code=2)
    aioxen_("destroy", "0", code=3)
    aioxen_("create", cfg("same"))
    assert "same" in aioxen_("create", cfg("same"), code=5).err
    aioxen_("destroy", "same")


def test_devices_as_with_xl(cfg: WriteFile, xl: Xl, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(1 << 20))
    aioxen_("create", "-e", cfg("dev"))
    aioxen_("block-attach", "dev", "format=raw", "vdev=xvda", "access=rw", f"target={image}", "--wait")
    aioxen_("network-attach", "dev", "mac=00:16:3e:00:00:01", "--wait")
    aioxen_("network-attach", "dev", "--wait")
    assert cells(aioxen_("block-list", "dev").out) == cells(xl("block-list", "dev"))
    assert cells(aioxen_("network-list", "dev").out) == cells(xl("network-list", "dev"))
    assert "51712" in aioxen_("block-list", "dev").out
    aioxen_("block-attach", "dev", f"{image},raw,xvda,rw", code=5)
    aioxen_("network-detach", "dev", "00:16:3E:00:00:01")
    aioxen_("network-detach", "dev", "0", code=4)
    aioxen_("network-detach", "dev", "1", "--force")
    aioxen_("block-detach", "dev", "xvda")
    aioxen_("block-detach", "dev", "xvda", code=4)
    assert len(xl("block-list", "dev").splitlines()) == len(xl("network-list", "dev").splitlines()) == 1
    aioxen_("destroy", "dev")


def test_memory_and_processors_as_with_xl(cfg: WriteFile, xl: Xl) -> None:
    aioxen_("create", "-e", cfg("res", vcpus=2))
    xl("create", "-q", str(cfg("theirs", vcpus=2)))
    for words in (
        ("mem-max", "40"),
        ("mem-max", "40m"),
        ("mem-set", "20"),
        ("mem-set", "20480k"),
        ("vcpu-set", "1"),
        ("vcpu-pin", "all", "0-1,^1"),
        ("vcpu-pin", "1", "-", "0"),
    ):
        command, *values = words
        aioxen_(command, "res", *values)
        xl(command, "theirs", *values)
        ours, theirs = (aioxen_("mem", name).out.split()[-3:] for name in ("res", "theirs"))
        assert ours == theirs, words
        vcpus = [
            [line.split()[2:] for line in xl("vcpu-list", name).splitlines()] for name in ("res", "theirs")
        ]
        assert [row[3:] for row in vcpus[0]] == [row[3:] for row in vcpus[1]], words
    assert cells(aioxen_("vcpu-list").out) == cells(xl("vcpu-list"))
    aioxen_("mem-set", "res", "900", code=3)
    aioxen_("vcpu-set", "res", "4096", code=3)
    aioxen_("vcpu-pin", "res", "0", "x", code=2)
    aioxen_("mem-set", "res", "20x", code=2)
    assert aioxen_("mem-set", "-w", "res", "16", "--json").records()[0]["target_memkb"] == 16 << 10
    aioxen_("sysrq", "res", "h")
    aioxen_("trigger", "res", "nmi")
    assert "no device model" in aioxen_("qmp", "res", "query-status", code=11).err
    assert "no device model" in aioxen_("qemu-monitor-command", "res", "info", "block", code=11).err
    aioxen_("rename", "res", "other")
    assert " other " in xl("list").replace("\n", " ")
    aioxen_("destroy", "other", "theirs")


def test_statistics(cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("busy", "s"))
    first, second = aioxen_("stats", "busy", "--count", "2", "--interval", "0.2", "--json").records()
    assert first["cpu_percent"] == 0
    assert second["cpu_percent"] > 20
    table = aioxen_("top", "--count", "1", "--interval", "0.1").out.splitlines()
    assert sorted(line.split()[0] for line in table) == ["Domain-0", "Name", "busy"]
    aioxen_("destroy", "busy")


def test_events_of_a_domain(cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("ev", "d5"), "-p")
    aioxen_("unpause", "ev")
    aioxen_("wait", "ev")
    seen = aioxen_("events", "ev", "--count", "1", "--json").records()
    assert [(r["event"], r["name"], r["shutdown_reason"]) for r in seen] == [
        ("DomainShutdown", "ev", "poweroff")
    ]
    aioxen_("destroy", "ev")


def test_a_crash_has_an_exit_status(cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("crash", "c"))
    assert "crash" in aioxen_("wait", "crash", code=14).out
    aioxen_("destroy", "crash")
    aioxen_("create", "-F", cfg("crash", "c", on_crash="destroy"), code=14)


def test_limits_and_states(cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("mute", "b"))
    assert aioxen_("shutdown", "mute", "--timeout", "0.1", "--json", code=8).records()[0]["exit"] == 8
    show = aioxen_("show", "mute", "--json").records()[0]
    assert show["name"] == "mute"
    assert show["vcpus"]
    aioxen_("destroy", "mute")


def test_completion_knows_commands_and_domains(cfg: WriteFile) -> None:
    def complete(words: str, number: int) -> str:
        environment = {"_AIOXEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        return aioxen_(env=environment).out

    for shell in "bash", "zsh", "fish":
        assert "_AIOXEN_COMPLETE" in aioxen_("completion", shell).out
    aioxen_("create", "-e", cfg("finished"))
    assert "plain,destroy" in complete("aioxen de", 1)
    assert "plain,finished" in complete("aioxen destroy fin", 2)
    aioxen_("destroy", "finished")


def test_the_manual_has_every_command_and_is_well_formed(tmp_path: Path) -> None:
    page = tmp_path / "aioxen.1"
    page.write_text(manual.page())
    told = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True).stdout
    # The page has no date, because each build must make the same page.
    assert [line for line in told.splitlines() if "missing date" not in line] == []
    text = page.read_text().replace("\\-", "-")
    document = (ROOT / "docs" / "command-line.md").read_text()
    for name in app.list_commands(click.Context(app)):
        assert re.search(rf"^\.SS {name}\b", text, re.MULTILINE), name
        assert f"`{name}" in document
        assert aioxen_(name, "--help").out.startswith("Usage: aioxen")


def test_the_unit_names_options_that_exist(tmp_path: Path) -> None:
    unit = aioxen_("unit").out
    words = re.search(r"^ExecStart=aioxen (.*)$", unit, re.MULTILINE)
    assert words
    assert "Type=notify" in unit
    aioxen_(*words[1].replace("/etc/xen/%i.cfg", str(tmp_path / "nosuch.cfg")).split(), code=3)


def test_each_error_has_one_exit_status() -> None:
    own = {kind.rc: exits.code_of(kind()) for kind in errors.BY_RC.values()}
    assert own[errors.DomainGoneError.rc] == own[errors.DomainNotFoundError.rc] == 4
    assert own[errors.GuestTimedOutError.rc] == 9
    assert own[errors.TimedOutError.rc] == 8
    assert own[errors.NoHypervisorError.rc] == own[errors.NoXenstoreError.rc] == 7
    assert own[errors.NoPermissionError.rc] == 6
    assert {kind.code for kind in exits.KINDS} == set(exits.Exit)
    document = (ROOT / "docs" / "command-line.md").read_text()
    for kind in exits.KINDS:
        assert f"| {int(kind.code)} | {kind.meaning} |" in document
