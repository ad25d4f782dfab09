# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands of `aioxen` do what xl's commands of the same names do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import WriteFile, aioxen_
from command_line import cfg as cfg

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


def test_exit_statuses(cfg: WriteFile, tmp_path: Path) -> None:
    assert "nosuch" in aioxen_("list", "nosuch", code=4).err
    aioxen_("create", tmp_path / "nosuch", code=3)
    aioxen_("create", "name=", code=3)
    aioxen_("destroy", code=2)
    aioxen_("destroy", "0", code=3)
    aioxen_("create", cfg("same"))
    assert "same" in aioxen_("create", cfg("same"), code=5).err
    aioxen_("destroy", "same")
