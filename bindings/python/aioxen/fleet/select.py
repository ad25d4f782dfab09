# SPDX-License-Identifier: LGPL-2.1-or-later
"""Selectors: how users name hosts, and domains of hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from aioxen import errors

if TYPE_CHECKING:
    from aioxen.fleet.client import Fleet
    from aioxen.fleet.domain import Domain
    from aioxen.fleet.host import Host

PATTERN = frozenset("*?[")


class Outcome(NamedTuple):
    """The outcome of one call of Fleet.map()."""

    value: Any
    error: Exception | None

    def result(self) -> Any:
        """Returns the value, or raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


class Target(NamedTuple):
    """A host or a domain that a selector names."""

    name: str
    """HOST, or HOST/DOMAIN."""
    find: Callable[[], Awaitable[Any]]


def hosts(fleet: Fleet, pattern: str) -> list[Host]:
    """Returns the hosts that a pattern names. A pattern without wildcards is a host's name, and the host need
    not be known. A pattern with wildcards does not match hosts whose agent has stopped."""
    if not PATTERN & set(pattern):
        return [fleet[pattern]]
    known = [name for name, state in fleet.hosts.items() if state.state != "stopped"]
    return [fleet[name] for name in known if fnmatchcase(name, pattern)]


async def targets(fleet: Fleet, selector: str) -> list[Target]:
    """Returns the targets that a selector names. If the domains of a host cannot be listed, the host is a
    target whose search fails."""
    found: dict[str, Target] = {}
    for part in selector.split(","):
        host_pattern, slash, domain = part.strip().partition("/")
        matching = hosts(fleet, host_pattern)
        if not slash:
            made = [Target(host.name, lambda host=host: _now(host)) for host in matching]  # type: ignore[misc]
        elif not PATTERN & set(domain) and not PATTERN & set(host_pattern):
            name = f"{host_pattern}/{domain}"
            made = [Target(name, lambda host=matching[0], domain=domain: host.domain(domain))]  # type: ignore[misc]
        else:
            lists = await asyncio.gather(*(_matching(host, domain) for host in matching))
            made = [target for one in lists for target in one]
        found |= {target.name: target for target in made}
    return list(found.values())


async def _now(value: Any) -> Any:
    return value


async def _matching(host: Host, pattern: str) -> list[Target]:
    """Returns the domains of a host that a pattern names. A pattern without wildcards is a domain's name, and
    the host need not have such a domain."""
    try:
        if not PATTERN & set(pattern):
            dom = await host.domain(pattern)
            return [Target(f"{host.name}/{pattern}", lambda: _now(dom))]
        domains = [dom for dom in await host.domains() if dom.domid != 0]
        names = await asyncio.gather(*(_name(dom) for dom in domains))
    except errors.DomainNotFoundError:
        return []
    except Exception as error:
        failure = error

        async def fail() -> Any:
            raise failure

        return [Target(f"{host.name}/{pattern}", fail)]
    return [
        Target(f"{host.name}/{name or dom.domid}", lambda dom=dom: _now(dom))  # type: ignore[misc]
        for dom, name in zip(domains, names, strict=True)
        if fnmatchcase(name, pattern)
    ]


async def _name(dom: Domain) -> str:
    try:
        return await dom.name()
    except (errors.DomainNotFoundError, errors.NotFoundError):
        return ""
