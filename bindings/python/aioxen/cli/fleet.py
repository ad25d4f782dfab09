# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands about a fleet of hosts: fleet init, hosts, top, events, audit, metrics."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

import aioxen
from aioxen.cli.core import Session, command, group
from aioxen.cli.observe import NEEDED, give, giving
from aioxen.cli.output import Record, colourful, printable, record_of_event, text_of_row
from aioxen.cli.stats import screen

HOSTS = "%-24s %-8s %8d %8d  %s"
HOSTS_HEAD = ("Host", "State", "Domains", "Calls", "Version")

fleet: click.Group = group(
    "fleet", "Makes a fleet of hosts, and tells about its hosts. Most of these need --fleet."
)


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--broker", "brokers", multiple=True, metavar="NAME", help="A name or address of the broker.")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A host that has an agent.")
@click.option("--viewer", "viewers", multiple=True, metavar="NAME", help="A client that may look only.")
@click.option("--operator", "operators", multiple=True, metavar="NAME",
              help="A client that may also control existing domains.")  # fmt: skip
@click.option("--admin", "admins", multiple=True, metavar="NAME", help="A client that may do everything.")
@click.option("--remove", multiple=True, metavar="NAME", help="Refuse this host or client from now on.")
@click.option("--port", default=4222, show_default=True, help="The broker's port.")
@click.option("--page-port", type=int, metavar="PORT",
              help="The broker's port for the web page, which is made in DIR/page; 0: none.")  # fmt: skip
@click.option("--store", default="/var/lib/nats", show_default=True, help="Where the broker keeps events.")
def init(
    folder: Path,
    brokers: tuple[str, ...],
    hosts: tuple[str, ...],
    viewers: tuple[str, ...],
    operators: tuple[str, ...],
    admins: tuple[str, ...],
    remove: tuple[str, ...],
    port: int,
    page_port: int | None,
    store: str,
) -> None:
    """Makes certificates, policies and the broker's configuration in DIR, or adds to them.

    \b
    DIR/broker        nats-server -c DIR/broker/nats.conf
    DIR/hosts/NAME    for /etc/aioxen-agent on the host
    DIR/clients/NAME  for the client: aioxen --fleet tls://BROKER --identity DIR/clients/NAME
    DIR/page          the web page, if --page-port is given: open index.html
    DIR/authority     signs certificates; keep it in a safe place
    """
    from aioxen.fleet.roster import Roster

    roster = Roster(folder)
    clients = dict.fromkeys(viewers, "viewer") | dict.fromkeys(operators, "operator")
    try:
        roster.add(hosts, clients | dict.fromkeys(admins, "admin"), brokers)
        for name in remove:
            roster.remove(name)
        roster.write(store, port=port, page_port=page_port)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"{len(roster.hosts)} hosts and {len(roster.clients)} clients: {folder}")


fleet.add_command(init)


@command("hosts", fleet)
async def hosts(session: Session) -> None:
    """Lists the hosts of the fleet."""
    rows = []
    for state in session.hosts.hosts.values():
        record = {"host": state.name, "state": state.state, "domains": state.domains}
        record |= {"calls": state.calls, "version": state.version}
        rows.append(((state.name, state.state, state.domains, state.calls, state.version), record))
    session.out.table(HOSTS, HOSTS_HEAD, rows)


TOP = "%-24s %-8s %8s %8s %9s %10s %10s"
TOP_HEAD = ("Host", "State", "Domains", "Calls", "CPU(%)", "Mem(MiB)", "Free(MiB)")


class Load(NamedTuple):
    """What the domains of a host have used up to one moment."""

    at: float
    cpu_seconds: dict[tuple[int, str], float]
    total: float
    """The host's memory, in MiB."""
    free: float


async def loads(session: Session, limit: float) -> dict[str, Load]:
    """Returns the load of each host, by name. A host that does not answer in time is left out."""

    async def load(host: Any) -> Load:
        async with asyncio.timeout(limit):
            infos, about = await asyncio.gather(host.domain_list(), host.host_info())
        seconds = {(info.domid, str(info.uuid)): info.cpu_time / 1e9 for info in infos}
        page = 4096 / (1 << 20)
        return Load(time.monotonic(), seconds, about.total_pages * page, about.free_pages * page)

    found = await session.hosts.map(load, "*")
    return {name: outcome.value for name, outcome in found.items() if outcome.error is None}


def top_rows(
    session: Session, now: dict[str, Load], before: dict[str, Load]
) -> list[tuple[tuple[object, ...], Record]]:
    """Returns a row for each host, the busiest first."""
    rows = []
    for state in session.hosts.hosts.values():
        new, old = now.get(state.name), before.get(state.name)
        record: Record = {"host": state.name, "state": state.state, "domains": state.domains}
        record |= {"calls": state.calls, "cpu_percent": None, "memory_mib": None, "free_mib": None}
        if new is not None:
            record |= {"memory_mib": round(new.total), "free_mib": round(new.free)}
        if new is not None and old is not None and new.at > old.at:
            used = sum(s - old.cpu_seconds.get(key, 0.0) for key, s in new.cpu_seconds.items())
            record["cpu_percent"] = round(used / (new.at - old.at) * 100, 1)
        cells = tuple("-" if value is None else value for value in record.values())
        rows.append((cells, record))
    return sorted(rows, key=lambda row: (-(row[1]["cpu_percent"] or 0.0), row[1]["host"]))


@command("top", fleet)
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many tables.")
@click.option("--interval", type=click.FloatRange(0, min_open=True), default=3, show_default=True,
              metavar="SECONDS", help="The time between two tables.")  # fmt: skip
async def top(session: Session, interval: float, count: int | None) -> None:
    """Shows the load of the hosts until Ctrl-C, and updates the table in place. The busiest host comes first.

    CPU(%) is the processor time of all domains of the host. A host that does not answer has "-". Without a
    terminal, each new table is printed below the last one.
    """
    before = await loads(session, max(interval, 5.0))
    with screen(colourful(sys.stdout) and not session.out.json) as show:
        for number in itertools.count(1):
            await asyncio.sleep(interval)
            now = await loads(session, max(interval, 5.0))
            rows = top_rows(session, now, before)
            if show is None:
                session.out.table(TOP, TOP_HEAD, rows)
            else:
                known = session.hosts.hosts.values()
                up = sum(state.state == "up" for state in known)
                domains, calls = sum(s.domains for s in known), sum(s.calls for s in known)
                clock = f"{time.strftime('%H:%M:%S')}  {up} of {len(known)} hosts up  {domains} domains"
                lines = (text_of_row(TOP, row) for row in (TOP_HEAD, *(row for row, _ in rows)))
                show(f"{clock}  {calls} calls in progress", *lines)
            before = now
            if number == count:
                return


_since_option = click.option(
    "--since",
    metavar="POSITION",
    help="'all', or a position that was printed with --json. Default: new ones.",
)
_count_option = click.option("-n", "--count", type=click.IntRange(1), help="End after so many.")


@command("events", fleet)
@_since_option
@_count_option
async def events(session: Session, since: str | None, count: int | None) -> None:
    """Prints the events of all hosts. Prints a line where events were lost."""
    async with await session.hosts.subscribe(since) as found:
        async for one in found:
            record = {"host": one.host, "time": one.time.isoformat(), "number": one.number}
            record |= {"position": found.position, **record_of_event(one.event)}
            about = f"domain {one.event.domid}" if isinstance(one.event, aioxen.Event) else ""
            text = f"{one.time:%H:%M:%S} {one.host} {type(one.event).__name__} {about}"
            session.out.result(text.rstrip(), record)
            count = count - 1 if count is not None else None
            if count == 0:
                return


@command("audit", fleet)
@_since_option
@_count_option
async def audit(session: Session, since: str | None, count: int | None) -> None:
    """Prints who has called what on which host, and the outcome. For administrators."""
    async for line in session.hosts.audit(since):
        record = json.loads(line)
        text = "{time:.3f} {host} {caller} {call} {outcome}".format_map(record)
        session.out.result(printable(text), record)
        count = count - 1 if count is not None else None
        if count == 0:
            return


@command("metrics", fleet)
@giving
async def metrics(
    session: Session, textfile: str | None, socket: str | None, interval: float, once: bool
) -> None:
    """Prints the metrics of all hosts and their domains, writes them to a file, or serves them.

    The format is that of Prometheus. The package prometheus-client is needed.
    """
    try:
        from aioxen.fleet.metrics import FleetMetrics
    except ImportError as error:
        raise click.ClickException(f"{NEEDED}: {error}") from None
    await give(FleetMetrics(session.hosts), textfile, socket, interval, once)
