# SPDX-License-Identifier: LGPL-2.1-or-later
"""The arguments that name domains, and the names that the completion of a shell offers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

import aioxen


async def name_of(dom: aioxen.Domain, limit: float | None = None) -> str:
    """Returns the domain's name, or "" if it has none or if it is gone."""
    try:
        return await dom.name(timeout=limit)
    except (aioxen.DomainNotFoundError, aioxen.NotFoundError):
        return ""


F = TypeVar("F", bound=Callable[..., Any])


class _DomainType(click.ParamType):
    """The type of an argument that names a domain."""

    name = "domain"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            names = asyncio.run(_all_names())
        except Exception:  # A shell cannot show an error during completion.
            return []
        return [
            CompletionItem(name, help=f"domain {domid}")
            for domid, name in names
            if name.startswith(incomplete)
        ]


async def _all_names() -> list[tuple[int, str]]:
    async with aioxen.Context() as xen:
        infos = await xen.domain_list()
        names = [await name_of(aioxen.Domain(xen, info.domid, info.uuid), 1) for info in infos]
        return [(info.domid, name) for info, name in zip(infos, names, strict=True) if name]


def domain_argument() -> Callable[[F], F]:
    """Returns a decorator that adds the argument DOMAIN."""
    return click.argument("domain", type=_DomainType())


def domains_argument(required: bool = True) -> Callable[[F], F]:
    """Returns a decorator that adds the argument DOMAIN, which may occur any number of times."""
    metavar = "DOMAIN..." if required else "[DOMAIN]..."
    return click.argument("domains", metavar=metavar, type=_DomainType(), nargs=-1, required=required)
