# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that move a guest to another machine: migrate, migrate-receive."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.parallel import Done, Handled, all_of, each, state_of
from aioxen.cli.progress import Report
from aioxen.cli.saved import allow_options, compress_options
from aioxen.cli.select import domain_argument

F = TypeVar("F", bound=Callable[..., Any])


def transport_of(target: str) -> str | list[str]:
    """Returns the transport for Domain.migrate() of a target of the command line."""
    kind, _, rest = target.partition(":")
    if kind == "exec":
        return ["sh", "-c", f"exec {rest}"]
    if kind == "unix":
        return rest
    return target if target.startswith("ssh://") else f"ssh://{target}"


def amount(name: str, metavar: str, help: str) -> Callable[[F], F]:
    """Returns an option whose value is a number. Its default is 0."""
    return click.option(name, type=click.IntRange(0), default=0, metavar=metavar, help=help)


@command("migrate")
@domain_argument()
@click.argument("target")
@click.option(
    "--receiver",
    default="aioxen migrate-receive",
    show_default=True,
    metavar="COMMAND",
    help='The command that ssh runs; "xl migrate-receive" is the other one.',
)
@amount("--max-downtime", "MS", "Suspend the guest when the rest of its memory can be sent in this time.")
@amount("--rounds", "N", "Suspend the guest after this number of rounds at the latest; 0: 5.")
@amount("--bandwidth", "KIB", "Send at most so many KiB in a second while the guest runs.")
@click.option("--no-live", is_flag=True, help="Suspend the guest before its memory is sent.")  # fmt: skip
@click.option(
    "--ask/--no-ask",
    default=None,
    help="Ask the receiver, which must be aioxen, whether it can receive the guest, before anything is sent. "
    "The default is to ask if ssh runs aioxen.",
)
@click.option(
    "--unannounced",
    is_flag=True,
    help="Move a PV or PVH guest also if it has not announced that it can suspend itself.",
)
@compress_options
async def migrate(
    session: Session,
    domain: str,
    target: str,
    receiver: str,
    max_downtime: int,
    rounds: int,
    bandwidth: int,
    no_live: bool,
    ask: bool | None,
    unannounced: bool,
    compress: int,
) -> None:
    """Moves a guest to another machine. There `aioxen migrate-receive` or `xl migrate-receive` receives it.

    With --fleet, TARGET is a host of the fleet, and the agents of the two hosts are connected to each other.
    Otherwise TARGET is [USER@]HOST or ssh://[USER@]HOST[:PORT]; unix:PATH, a socket; or exec:COMMAND, a
    command of the shell whose standard input and output are connected to the receiver. The disks are not
    copied.

    A receiver that is asked first checks the name, the configuration, the memory, the devices and the
    processors. If it cannot receive the guest, this command prints its reason, and the guest goes on to run.

    If the connection is lost while the receiver takes over the guest, the domain stays suspended here, under
    the name DOMAIN--migratedaway, and `aioxen unfinished list` lists it. Check whether the guest runs on the
    other machine. If it runs there, end the domain here by `aioxen destroy`. If it does not run there,
    `aioxen unfinished resume` gives the domain its old name and lets it run here.
    """
    policy = aioxen.SavePolicy(
        most_rounds=rounds, downtime_ms=max_downtime, bandwidth_kib=bandwidth, compression=compress
    )

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        if session.fleet is not None:
            moved = await session.hosts.migrate(
                cast(Any, dom),
                target,
                live=not no_live,
                policy=policy,
                unannounced=unannounced,
                timeout=session.timeout,
                progress=report,
            )
            record = {"outcome": "moved", "target": target, "new_domid": moved.domid}
            return Done(f"moved to {target} as domain {moved.domid}", record)
        await dom.migrate(
            transport_of(target),
            live=not no_live,
            policy=policy,
            receiver=shlex.join(shlex.split(receiver)),
            ask=ask,
            unannounced=unannounced,
            timeout=session.timeout,
            progress=report,
        )
        return Done(f"moved to {target}", {"outcome": "moved", "target": target})

    await each(session, (domain,), act, after="; look for it at the target, too")


@command("migrate-receive")
@click.option("-p", "paused", is_flag=True, help="Leave the domain paused.")
@click.option("-e", "-d", "ignored", is_flag=True, help="Ignored: options of `xl migrate-receive`.")
@allow_options
async def migrate_receive(
    session: Session, paused: bool, ignored: bool, allowed: aioxen.ReceivedAllowed | None
) -> None:
    """Receives a guest from `aioxen migrate` or `xl migrate`, and lets it run. The sender is connected to
    standard input and output. Messages are printed to standard error.

    `xl migrate -s '' DOMAIN 'ssh HOST aioxen migrate-receive'` sends a guest.
    """
    in_fd, out_fd = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # Output of print() must not get into the messages for the sender.
    if session.progress == "auto":
        session.progress = "none"  # The sender's terminal shows the sender's progress.
    made: list[aioxen.Domain] = []

    async def act(report: Report) -> Done:
        limit = session.timeout
        made.append(
            await session.xen.receive(
                (in_fd, out_fd), paused=paused, allowed=allowed, timeout=limit, progress=report
            )
        )
        record = {"outcome": "received", "domid": made[0].domid, "uuid": str(made[0].uuid)}
        return Done(f"received as domain {made[0].domid}", record)

    async def state() -> str:
        return await state_of(session, made[0]) if made else "there is no domain"

    await all_of(session, [Handled("the guest", act, state)])
