# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands of `aioxen` on a terminal: signals, progress, colours, the console."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable

import pytest
from command_line import COMMAND, OnTerminal, WriteFile, aioxen_
from command_line import cfg as cfg
from limits import scaled
from worldly import read_node

Sim = Callable[..., str]

pytestmark = pytest.mark.usefixtures("hypervisor", "kernel", "nothing_left")

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")


def test_ctrl_c_withdraws_a_request_and_tells_the_state(cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("mute", "b"))
    domid = aioxen_("domid", "mute").out.strip()
    with OnTerminal("shutdown", "-w", "mute", "--json", "--progress", "plain") as command:
        command.expect("acknowledge")
        command.type("\x03")
        assert command.end() == 130
    assert f"interrupted: mute: domain {domid} runs" in command.seen
    assert '"interrupted": true' in command.seen
    assert read_node(f"/local/domain/{domid}/control/shutdown") in ("", None)
    aioxen_("destroy", "mute")


def test_ctrl_c_undoes_a_creation_and_says_so(cfg: WriteFile, sim: Sim) -> None:
    files = [cfg("one"), cfg("two")]
    sim("xenconsoled", "stop")
    try:
        with OnTerminal("start", "--progress", "plain", *files) as command:
            command.expect("one: domain_create_new: console")
            command.type("\x03")
            assert command.end() == 130
    finally:
        sim("xenconsoled", "cont")
    for name in "one", "two":
        assert f"interrupted: {name}: there is no such domain" in command.seen
    assert len(aioxen_("list").out.splitlines()) == 2


def test_progress_is_live_on_a_terminal_only(cfg: WriteFile) -> None:
    file = cfg("shown")
    with OnTerminal("create", "-e", file) as command:
        assert command.end() == 0
    assert COLOUR.search(command.seen)
    assert "created as domain" in command.seen
    with OnTerminal("destroy", "shown", NO_COLOR="1") as command:
        assert command.end() == 0
    assert "destroyed" in command.seen
    assert not COLOUR.search(command.seen)
    plain = aioxen_("create", "-e", file)
    assert "\x1b" not in plain.out + plain.err
    assert "shown: domain_create_new: build" in plain.err
    assert aioxen_("destroy", "shown", "-q") == (0, "", "")


def test_the_console_is_joined_until_ctrl_bracket(cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("talk", "b console=echo"))
    with OnTerminal("console", "talk") as command:
        command.expect("tiny: b console=echo")
        command.type("hello\r")
        command.expect("echo: hello")
        command.type("\x03")  # This Ctrl-C is sent to the guest.
        command.type("again\r")
        command.expect("again")
        command.type("\x1d")
        assert command.end() == 0
    aioxen_("destroy", "talk")


def test_top_leaves_the_screen_as_it_was(cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("spin", "s"))
    with OnTerminal("top", "--interval", "0.1") as command:
        command.expect("\x1b[?1049h")  # The command switches to the terminal's alternate screen.
        command.expect("spin")
        command.type("\x03")
        assert command.end() == 130
    assert command.seen.rstrip().endswith(("\x1b[?1049l", "\x1b[?25h"))
    aioxen_("destroy", "spin")


def test_more_domains_than_lines_are_counted(cfg: WriteFile) -> None:
    names = [f"n{number}" for number in range(12)]
    files = [cfg(name) for name in names]
    with OnTerminal("start", "-e", *files, lines=10) as command:
        assert command.end() == 0
    assert "12 domains" in command.seen
    for name in names:
        assert f"{name}: created as domain" in command.seen
    aioxen_("destroy", *names)


def test_the_library_s_messages_are_shown_on_request(cfg: WriteFile) -> None:
    file = cfg("loud")
    with OnTerminal("-v", "-v", "create", "-e", file) as command:
        assert command.end() == 0
    assert "DEBUG domain_create" in command.seen
    aioxen_("destroy", "loud")


def test_a_reader_that_ends_is_no_error() -> None:
    program = f"{{ sleep 0.2; {shlex.join(COMMAND)} list; echo $? >&2; }} | true"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=scaled(60))
    assert done.stderr == "141\n"
