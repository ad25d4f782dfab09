# SPDX-License-Identifier: LGPL-2.1-or-later
"""`aioxen store` prints what xenstore's own programs print, and changes what they change."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from command_line import OnTerminal, aioxen_
from worldly import write_node

pytestmark = pytest.mark.usefixtures("hypervisor", "nothing_left")

ODD = 'tab\there "q" \\ é\n x'


def theirs(*words: str) -> str:
    words = (f"xenstore-{words[0]}", *words[1:])
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree() -> Iterator[str]:
    aioxen_("store", "write", "/cli/a", "1", "/cli/b", "", "/cli/c/d", ODD)
    yield "/cli"
    aioxen_("store", "rm", "/cli")


def test_it_prints_what_xenstore_s_programs_print(tree: str) -> None:
    assert aioxen_("store", "chmod", f"{tree}/a", "n0", "r3", "b4").code == 0
    assert aioxen_("store", "ls", tree).out == theirs("ls", tree)
    assert aioxen_("store", "ls", "-f", "-p", tree).out == theirs("ls", "-f", "-p", tree)
    assert aioxen_("store", "list", tree).out == theirs("list", tree)
    odd = f"{tree}/c/d"
    assert aioxen_("store", "read", f"{tree}/a", odd).out == theirs("read", f"{tree}/a", odd)
    assert aioxen_("store", "read", "-p", f"{tree}/a").out == theirs("read", "-p", f"{tree}/a")
    assert aioxen_("store", "read", odd, "--json").records() == [{"path": odd, "value": ODD}]
    aioxen_("store", "read", f"{tree}/nosuch", code=4)


def test_all_is_written_or_nothing(tree: str) -> None:
    aioxen_("store", "write", f"{tree}/new", "1", "no path //", "2", code=3)
    aioxen_("store", "read", f"{tree}/new", code=4)
    aioxen_("store", "write", f"{tree}/new", code=2)


def test_changes_are_awaited(tree: str) -> None:
    with OnTerminal("store", "watch", "-n", 3, tree) as command:
        command.expect(tree)
        write_node(f"{tree}/x", "1")
        command.expect(f"{tree}/x")
        write_node(f"{tree}/y", "1")
        assert command.end() == 0
    assert command.seen.split() == [tree, f"{tree}/x", f"{tree}/y"]
    with OnTerminal("store", "wait", f"{tree}/x", "3", "--timeout", "30") as command:
        write_node(f"{tree}/x", "2")
        write_node(f"{tree}/x", "3")
        assert command.end() == 0
    assert command.seen == "3\r\n"
    aioxen_("store", "wait", f"{tree}/nosuch", "--timeout", "0.1", code=8)
