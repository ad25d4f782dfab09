# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that control domains: pause, unpause, shutdown, reboot, destroy, wait, rename."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.exits import Exit
from aioxen.cli.listing import domains_of
from aioxen.cli.parallel import Done, each
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument, domains_argument

F = TypeVar("F", bound=Callable[..., Any])


@command("pause")
@domains_argument()
async def pause(session: Session, domains: tuple[str, ...]) -> None:
    """Pauses domains: their virtual processors stop.

    A domain that was paused twice runs after two unpauses.
    """

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.pause()
        return Done("paused", {"outcome": "paused"})

    await each(session, domains, act)


@command("unpause")
@domains_argument()
async def unpause(session: Session, domains: tuple[str, ...]) -> None:
    """Lets paused domains run."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.unpause()
        return Done("unpaused", {"outcome": "unpaused"})

    await each(session, domains, act)


def request_options(function: F) -> F:
    """Adds the arguments that shutdown and reboot have in common."""
    acpi = "Send an ACPI event to an HVM guest without PV drivers."
    until = "Wait until the domains have stopped; twice: until they are gone."
    for option in (
        click.option("-F", "fallback", is_flag=True, help=acpi),
        click.option("-w", "--wait", count=True, help=until),
        click.option("-a", "--all", "everything", is_flag=True, help="All domains except domain 0."),
        domains_argument(required=False),
    ):
        function = option(function)
    return function


@command("shutdown")
@request_options
async def shutdown(
    session: Session, domains: tuple[str, ...], everything: bool, wait: int, fallback: bool
) -> None:
    """Asks guests to power off, and waits until they have acknowledged the request.

    The supervisor that `aioxen create` or `xl create` has left then carries out on_poweroff.
    """
    calls = (aioxen.Domain.shutdown, session.xen.domain_shutdown)
    await _request(session, domains, everything, wait, aioxen.Trigger.POWER if fallback else None, *calls)


@command("reboot")
@request_options
async def reboot(
    session: Session, domains: tuple[str, ...], everything: bool, wait: int, fallback: bool
) -> None:
    """Asks guests to reboot, and waits until they have acknowledged the request.

    The supervisor that `aioxen create` or `xl create` has left then carries out on_reboot.
    """
    calls = (aioxen.Domain.reboot, session.xen.domain_reboot)
    await _request(session, domains, everything, wait, aioxen.Trigger.RESET if fallback else None, *calls)


async def _request(
    session: Session,
    domains: tuple[str, ...],
    everything: bool,
    wait: int,
    trigger: aioxen.Trigger | None,
    ask_and_wait: Callable[..., Awaitable[aioxen.ShutdownReason]],
    ask: Callable[..., Awaitable[None]],
) -> None:
    """Asks guests to stop. `trigger` is sent to a guest that does not react to requests in xenstore."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        try:
            if not wait:
                await ask(dom, timeout=session.timeout, progress=report)
                return Done("has acknowledged the request", {"outcome": "acknowledged"})
            reason = await ask_and_wait(dom, timeout=session.timeout, progress=report)
        except aioxen.DomainDestroyedError:
            # The supervisor has seen the guest's stop first, and has destroyed the domain.
            return Done("has stopped, and its domain is gone", {"outcome": "gone"})
        except (aioxen.NoParavirtError, aioxen.GuestTimedOutError):
            if trigger is None:
                raise
            await dom.send_trigger(trigger)
            if not wait:
                return Done(f"the event {trigger} was sent", {"outcome": "triggered"})
            reason = await dom.wait_shutdown(timeout=session.timeout, progress=report)
        if wait > 1:
            await dom.wait_gone(timeout=session.timeout, progress=report)
        return Done(f"has stopped: {reason}", {"outcome": "stopped", "reason": str(reason)})

    if everything == bool(domains):
        raise click.UsageError("name domains, or use --all")
    if everything:
        domains = tuple(name or str(info.domid) for info, name in await domains_of(session, ()) if info.domid)
    await each(session, domains, act, after="; a request that it has not acknowledged was withdrawn")


@command("destroy")
@domains_argument()
@click.option("-f", "force", is_flag=True, help="Also destroy domain 0, for a disaggregated toolstack.")
async def destroy(session: Session, domains: tuple[str, ...], force: bool) -> None:
    """Destroys domains at once, and waits until they are gone, with their devices and their nodes."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        if dom.domid == 0 and not force:
            raise aioxen.InvalidError("domain 0 is not destroyed without -f")
        await dom.destroy(timeout=session.timeout, progress=report)
        return Done("destroyed", {"outcome": "destroyed"})

    await each(session, domains, act, after="; a destruction that has begun goes on")


@command("wait")
@domains_argument()
@click.option("--until", type=click.Choice(("stopped", "gone")), default="stopped", show_default=True,
              help="What to wait for.")  # fmt: skip
async def wait(session: Session, domains: tuple[str, ...], until: str) -> None:
    """Waits until domains have stopped or are gone, and prints the reasons.

    The exit status is 14 if a guest has crashed.
    """

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        if until == "gone":
            await dom.wait_gone(timeout=session.timeout, progress=report)
            return Done("is gone", {"outcome": "gone"})
        reason = await dom.wait_shutdown(timeout=session.timeout, progress=report)
        if reason in (aioxen.ShutdownReason.CRASH, aioxen.ShutdownReason.WATCHDOG):
            session.code = Exit.CRASHED
        return Done(f"has stopped: {reason}", {"outcome": "stopped", "reason": str(reason)})

    await each(session, domains, act)


@command("rename")
@domain_argument()
@click.argument("name")
async def rename(session: Session, domain: str, name: str) -> None:
    """Gives a domain another name."""
    dom = await session.find(domain)
    await dom.rename(name, timeout=session.timeout)
    session.out.result(f"{domain}: renamed {name}", {"domain": domain, "domid": dom.domid, "name": name})
