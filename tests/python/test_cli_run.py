# SPDX-License-Identifier: LGPL-2.1-or-later
"""`aioxen run` and the supervisor that `aioxen create` leaves carry out what the guests' configuration files
say."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import COMMAND, WriteFile, aioxen_
from command_line import cfg as cfg
from limits import scaled

pytestmark = pytest.mark.usefixtures("hypervisor", "kernel", "nothing_left")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + scaled(30)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def names() -> set[str]:
    return {record["name"] for record in aioxen_("list", "--json").records()} - {"Domain-0"}


def domid(name: str) -> int:
    ran = aioxen_("domid", name, code=None)
    return 0 if ran.code else int(ran.out)


class Manager:
    """The service manager's end of the socket of sd_notify(3)."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(scaled(30))

    def receive(self) -> str:
        return self.socket.recv(4096).decode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    with made.socket:
        yield made


@contextmanager
def running(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    words = [*COMMAND, *map(str, arguments)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_sigterm_asks_waits_and_destroys(cfg: WriteFile, manager: Manager) -> None:
    words = ("run", "--json", "--stop-timeout", "0.5", cfg("obeys", "l"), cfg("mute", "b"))
    with running(*words, NOTIFY_SOCKET=manager.path) as service:
        assert manager.receive().startswith("READY=1\n")
        assert names() == {"obeys", "mute"}
        seen = aioxen_("operations", "--json").records()
        assert {r["operation"] for r in seen if r["pid"] == service.pid} >= {"domain_wait_shutdown"}
        service.send_signal(signal.SIGTERM)
        assert manager.receive() == "STOPPING=1"
        output, _ = service.communicate(timeout=scaled(30))
        assert service.returncode == 0
    assert names() == set()
    ended = {r["domain"]: r["how"] for r in map(json.loads, output.splitlines()) if r.get("event") == "ended"}
    assert "has stopped: poweroff" in ended["obeys"]
    assert "destroyed, because" in ended["mute"]


def test_a_second_signal_leaves_the_guests(cfg: WriteFile, manager: Manager) -> None:
    with running("run", "--progress", "none", cfg("mute", "b"), NOTIFY_SOCKET=manager.path) as service:
        assert manager.receive().startswith("READY=1\n")
        service.send_signal(signal.SIGINT)
        assert manager.receive() == "STOPPING=1"
        service.send_signal(signal.SIGINT)
        assert service.wait(scaled(30)) == -signal.SIGINT
    assert names() == {"mute"}
    aioxen_("destroy", "mute")


def test_policies(cfg: WriteFile) -> None:
    files = (
        cfg("off", "p"),
        cfg("kept", "p", on_poweroff="preserve"),
        cfg("moved", "r", on_reboot="rename-restart"),
        cfg("fell", "c", on_crash="destroy"),
    )
    stopped: dict[str, str] = {}
    with running("run", "--json", *files) as service:
        assert service.stdout
        while len(stopped) < len(files):
            record = json.loads(service.stdout.readline())
            if "action" in record:
                stopped[record["domain"]] = record["action"]
        until(lambda: any(name.startswith("moved-") for name in names()))
        service.send_signal(signal.SIGINT)
        service.communicate(timeout=scaled(30))
    assert service.returncode == 130
    assert stopped == {"off": "destroy", "kept": "preserve", "moved": "rename-restart", "fell": "destroy"}
    left = names()
    assert "kept" in left
    assert all(name == "kept" or name.startswith("moved-") for name in left)
    aioxen_("destroy", *left)


def test_a_soft_reset(cfg: WriteFile) -> None:
    ran = aioxen_("run", "--json", cfg("reset", "kp", type="pvh", on_soft_reset="soft-reset"))
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert [r["action"] for r in records if "action" in r] == ["soft-reset", "destroy"]
    events = [r["event"] for r in records if r.get("event") in ("stopped", "reset")]
    assert events == ["stopped", "reset", "stopped"]


def test_a_failure_at_the_start_stops_the_others(cfg: WriteFile) -> None:
    good, bad = cfg("good"), cfg("bad", kernel="/nosuch")
    failed = aioxen_("run", "--stop-timeout", "5", good, bad, code=15)
    assert "bad: " in failed.err
    assert names() == set()
    aioxen_("run", good, good, code=3)


def test_create_leaves_a_supervisor(cfg: WriteFile) -> None:
    aioxen_("create", cfg("served"))
    first = domid("served")
    aioxen_("reboot", "served")
    until(lambda: domid("served") > first)
    aioxen_("shutdown", "-ww", "served")
    assert names() == set()
    log = Path("/var/log/xen/aioxen-served.log")
    until(lambda: "action: destroy" in log.read_text())
    assert "action: restart" in log.read_text()
