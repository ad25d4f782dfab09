# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands about a fleet of hosts: fleet init, hosts, events, audit, metrics."""

from __future__ import annotations

import json
from pathlib import Path

import click

import aioxen
from aioxen.cli.core import Session, command, group
from aioxen.cli.observe import NEEDED, give, giving
from aioxen.cli.output import printable, record_of_event

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
              help="A client that may also run domains that exist.")  # fmt: skip
@click.option("--admin", "admins", multiple=True, metavar="NAME", help="A client that may do everything.")
@click.option("--remove", multiple=True, metavar="NAME", help="Refuse this host or client from now on.")
@click.option("--port", default=4222, show_default=True, help="The broker's port.")
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
    store: str,
) -> None:
    """Makes certificates, policies and the broker's configuration in DIR, or adds to them.

    \b
    DIR/broker        nats-server -c DIR/broker/nats.conf
    DIR/hosts/NAME    for /etc/aioxen-agent on the host
    DIR/clients/NAME  for the client: aioxen --fleet tls://BROKER --identity DIR/clients/NAME
    DIR/authority     signs certificates; keep it in a safe place
    """
    from aioxen.fleet.roster import Roster

    roster = Roster(folder)
    clients = dict.fromkeys(viewers, "viewer") | dict.fromkeys(operators, "operator")
    try:
        roster.add(hosts, clients | dict.fromkeys(admins, "admin"), brokers)
        for name in remove:
            roster.remove(name)
        roster.write(store, port=port)
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
    """Prints the events of all hosts, and where events were lost."""
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
