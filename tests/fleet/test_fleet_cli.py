# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line with --fleet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from aioxen import fleet
from aioxen.cli.app import app
from click.testing import CliRunner
from fleetly import Broker, guest, worlds
from limits import scaled


def run(*arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "aioxen", *arguments],
        capture_output=True, text=True, timeout=scaled(20), env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_commands_act_on_domains_of_hosts(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, ["h1", "h2"], broker.url):
        async with fleet.connect(broker.url) as f:
            await f.wait_for("h1", "h2", timeout=20)
            for host in "h1", "h2":
                await f[host].domain_create(guest(name="web"), timeout=20)
        to = ("--fleet", broker.url)
        shown = run(*to, "list")
        assert [line.split()[0] for line in shown.splitlines()[1:]] == ["h1/web", "h2/web"]
        assert "h1/web: unpaused" in run(*to, "unpause", "*/web")
        assert "h2/web: destroyed" in run(*to, "destroy", "h2/web")
        assert [line.split()[:3] for line in run(*to, "fleet", "hosts").splitlines()[1:]] == [
            ["h1", "up", "2"], ["h2", "up", "1"]
        ]  # fmt: skip
        events = [
            json.loads(line)
            for line in run(*to, "fleet", "events", "--since", "all", "-n", "2", "--json").splitlines()
        ]
        assert {event["host"] for event in events} <= {"h1", "h2"}
        assert all(event["position"] for event in events)
        audit = run(*to, "fleet", "audit", "--since", "all", "-n", "4")
        assert "domain_create done" in audit
        assert "HOST/DOMAIN" in run(*to, "pause", "web", status=2)


def init(*arguments: str, status: int = 0) -> str:
    """Runs `aioxen fleet init` in this process."""
    done = CliRunner().invoke(app, ["fleet", "init", *arguments])
    assert done.exit_code == status, done.output
    output: str = done.output
    return output


def test_init_makes_a_fleet(tmp_path: Path) -> None:
    folder = str(tmp_path)
    init(folder, "--broker", "b", "--host", "h1", "--viewer", "alice")
    assert "2 hosts and 2 clients" in init(folder, "--host", "h2", "--admin", "root")
    init(folder, "--remove", "alice")
    roster = json.loads((tmp_path / "roster.json").read_text())
    assert roster == {"hosts": ["h1", "h2"], "clients": {"root": "admin"}, "brokers": ["b"]}
    assert "not in the roster" in init(folder, "--remove", "nobody", status=2)
