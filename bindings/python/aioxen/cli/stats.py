# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands stats and top: how much processor time, memory, disks and networks domains use."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.listing import domains_of, mebibytes, state_letters
from aioxen.cli.output import Record, colourful, record_of, text_of_row
from aioxen.cli.select import domains_argument

FORM = "%-20s %5d %6s %8.1f %6.1f %6d %5d %8.1f %8.1f %8.1f %8.1f"
HEAD = ("Name", "ID", "State", "CPU(s)", "CPU(%)", "Mem", "VCPUs", "Net-tx", "Net-rx", "Disk-rd", "Disk-wr")
SECTOR = 512


class Sample(NamedTuple):
    """The counters of a domain at one moment."""

    at: float
    counters: aioxen.DomainCounters
    name: str

    def totals(self) -> tuple[float, ...]:
        """Returns the counters: processor seconds, and octets sent, received, read and written."""
        c = self.counters
        return (
            c.info.cpu_time / 1e9,
            # The counters are the host's, which receives the octets that the guest sends.
            sum(nic.rx_octets for nic in c.nics),
            sum(nic.tx_octets for nic in c.nics),
            sum(disk.read_sectors for disk in c.disks) * SECTOR,
            sum(disk.write_sectors for disk in c.disks) * SECTOR,
        )


Samples = dict[tuple[int, str], Sample]


async def sample(session: Session, domains: tuple[str, ...]) -> Samples:
    """Returns the counters of the named domains, or of all."""
    named = {(info.domid, str(info.uuid)): name for info, name in await domains_of(session, domains)}
    listed = await session.xen.domain_statistics(timeout=session.timeout)
    keys = ((c.info.domid, str(c.info.uuid)) for c in listed)
    found = zip(keys, listed, strict=True)
    return {key: Sample(time.monotonic(), c, named[key]) for key, c in found if key in named}


def rows(now: Samples, before: Samples) -> list[tuple[tuple[object, ...], Record]]:
    """Returns the table's rows. The rates are counted from the earlier samples. Without earlier samples they
    are 0."""
    made = []
    for key, new in now.items():
        old = before.get(key, new)
        elapsed = new.at - old.at
        rates = [
            (b - a) / elapsed if elapsed else 0.0 for a, b in zip(old.totals(), new.totals(), strict=True)
        ]
        cpu, *octets = rates
        info = new.counters.info
        row = (new.name, info.domid, state_letters(info), info.cpu_time / 1e9, cpu * 100, mebibytes(info))
        names = ("tx_rate", "rx_rate", "read_rate", "write_rate")
        record = {"name": new.name, **record_of(new.counters), "cpu_percent": round(cpu * 100, 2)}
        record |= {name: round(rate, 1) for name, rate in zip(names, octets, strict=True)}
        made.append(((*row, info.vcpu_online, *(rate / 1024 for rate in octets)), record))
    return made


def sampling_options(function: click.decorators.FC) -> click.decorators.FC:
    """Adds the options that stats and top have in common."""
    period, text = click.FloatRange(0, min_open=True), "The time between two tables."
    for option in (
        click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many tables."),
        click.option(
            "--interval",
            type=period,
            default=3,
            show_default=True,
            metavar="SECONDS",
            help=text,
        ),
        domains_argument(required=False),
    ):
        function = option(function)
    return function


@command("stats")
@sampling_options
async def stats(session: Session, domains: tuple[str, ...], interval: float, count: int | None) -> None:
    """Prints what domains use, once. Rates are in KiB/s and count from the previous table.

    With --count, this number of tables is printed, with --interval seconds between them. The first table has
    no rates.
    """
    before: Samples = {}
    for number in range(count or 1):
        if number:
            await asyncio.sleep(interval)
        now = await sample(session, domains)
        session.out.table(FORM, HEAD, rows(now, before))
        before = now


@command("top")
@sampling_options
async def top(session: Session, domains: tuple[str, ...], interval: float, count: int | None) -> None:
    """Shows what domains use until Ctrl-C, and updates the table in place. The busiest domain comes first.

    Without a terminal, each new table is printed below the last one.
    """
    before = await sample(session, domains)
    with screen(colourful(sys.stdout) and not session.out.json) as show:
        for number in itertools.count(1):
            await asyncio.sleep(interval)
            now = await sample(session, domains)
            busiest = sorted(rows(now, before), key=lambda row: -float(row[1]["cpu_percent"]))
            if show is None:
                session.out.table(FORM, HEAD, busiest)
            else:
                host = await session.xen.host_info()
                clock = f"{time.strftime('%H:%M:%S')}  {len(now)} domains  {host.nr_cpus} CPUs"
                show(clock, *(text_of_row(FORM, row) for row in (HEAD, *(row for row, _ in busiest))))
            before = now
            if number == count:
                return


@contextmanager
def screen(wanted: bool) -> Iterator[Callable[..., None] | None]:
    """Yields a function that shows lines on the terminal's alternate screen, cut at its edges. The end of the
    block restores the terminal. Yields None if no screen is wanted."""
    if not wanted:
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(), screen=True, auto_refresh=False) as live:

        def show(clock: str, head: str, *lines: str) -> None:
            text = Text(f"{clock}\n", no_wrap=True, overflow="crop")
            text.append(head, "bold").append("".join(f"\n{line}" for line in lines))
            live.update(text, refresh=True)

        yield show
