# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line with --fleet."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aioxen.cli.app import app
from click.testing import CliRunner
from fleetly import Broker, connect, guest, worlds


def run(*arguments: str, status: int = 0) -> str:
    """Runs the command line in this process, and returns what it prints."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    assert done.exit_code == status, done.output
    output: str = done.output
    return output


async def create(url: str, *hosts: str) -> None:
    async with connect(url) as f:
        await f.wait_for(*hosts)
        for host in hosts:
            await f[host].domain_create(guest(name="web"))


def test_commands_act_on_domains_of_hosts(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, ["h1", "h2"], broker.url):
        asyncio.run(create(broker.url, "h1", "h2"))
        to = ("--fleet", broker.url)
        shown = run(*to, "list")
        assert [line.split()[0] for line in shown.splitlines()[1:]] == ["h1/web", "h2/web"]
        metrics = run(*to, "fleet", "metrics").splitlines()
        for host in "h1", "h2":
            assert f'aioxen_fleet_host_up{{host="{host}"}} 1.0' in metrics
            assert f'aioxen_scrape_success{{host="{host}"}} 1.0' in metrics
            one = f'aioxen_domain_vcpus{{domid="1",host="{host}",name="web"}} '
            assert [line for line in metrics if line.startswith(one)] != []
        assert "h1/web: unpaused" in run(*to, "unpause", "*/web")
        assert "h2/web: destroyed" in run(*to, "destroy", "h2/web")
        assert [line.split()[:3] for line in run(*to, "fleet", "hosts").splitlines()[1:]] == [
            ["h1", "up", "2"], ["h2", "up", "1"]
        ]  # fmt: skip
        top = ("fleet", "top", "--interval", "0.2", "--count", "1")
        shown = run(*to, *top)
        assert sorted(line.split()[0] for line in shown.splitlines()[1:]) == ["h1", "h2"]
        rows = [json.loads(line) for line in run(*to, *top, "--json").splitlines()]
        assert {row["host"]: row["domains"] for row in rows} == {"h1": 2, "h2": 1}
        # The row of a host that does not answer in time has no numbers.
        assert all(row["memory_mib"] is None or row["memory_mib"] > row["free_mib"] > 0 for row in rows)
        assert all(row["cpu_percent"] is None or row["cpu_percent"] >= 0 for row in rows)
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
    return run("fleet", "init", *arguments, status=status)


def test_init_makes_a_fleet(tmp_path: Path) -> None:
    folder = str(tmp_path)
    init(folder, "--broker", "b", "--host", "h1", "--viewer", "alice")
    assert "2 hosts and 2 clients" in init(folder, "--host", "h2", "--admin", "root")
    init(folder, "--remove", "alice")
    roster = json.loads((tmp_path / "roster.json").read_text())
    wanted = {"hosts": ["h1", "h2"], "clients": {"root": "admin"}, "brokers": ["b"], "removed": ["alice"]}
    assert roster == wanted
    assert "not in the roster" in init(folder, "--remove", "nobody", status=2)
