# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands for saved domains: save, restore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.parallel import Done, Handled, all_of, each, state_of
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument

LEVEL = 3
"""The level of `--compress` without a number. It is zstd's default."""


def compress_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the parameter `compress`, the level of compression: 0, or one of zstd's levels."""

    def take_level(ctx: click.Context, _: click.Parameter, level: int | None) -> int:
        usual = LEVEL if ctx.params.pop("compresses") else 0
        return level or usual

    function = click.option(
        "--compress-level",
        "compress",
        type=click.IntRange(1, 19),
        metavar="N",
        callback=take_level,
        help="Compress by zstd at this level, from 1 (fast) to 19 (small).",
    )(function)
    return click.option(
        "--compress",
        "compresses",
        is_flag=True,
        is_eager=True,
        help=f"Compress by zstd, at the level {LEVEL}.",
    )(function)


@command("save")
@domain_argument()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-c", "running", is_flag=True, help="Leave the domain running.")
@click.option("-p", "paused", is_flag=True, help="Leave the domain paused.")
@click.option("--live", is_flag=True, help="Let the guest run while most of its memory is saved.")
@compress_options
async def save(
    session: Session, domain: str, file: Path, running: bool, paused: bool, live: bool, compress: int
) -> None:
    """Saves a domain to a file, and destroys the domain.

    `aioxen restore` and `xl restore` restore it. `xl restore` does not restore a compressed file. The file
    gets its name when it is complete, and replaces an older one.
    """
    if running and paused:
        raise click.UsageError("-c and -p exclude each other")

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        afterwards: Literal["destroy", "resume", "keep"]
        afterwards = "resume" if running else "keep" if paused else "destroy"
        await dom.save(
            file,
            live=live,
            compression=compress,
            afterwards=afterwards,
            timeout=session.timeout,
            progress=report,
        )
        if paused:
            await dom.pause()
            await dom.resume(timeout=session.timeout)
        return Done(f"saved to {file}", {"outcome": "saved", "file": str(file)})

    await each(session, (domain,), act, after=f"; {file} is complete if it is there")


def allow_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the parameter `allowed`: what the configuration of a received domain may name."""
    kinds = {
        "disk": "path of a disk",
        "bridge": "bridge",
        "script": "hotplug script",
        "kernel": "path of a kernel",
    }

    def take(ctx: click.Context, _: click.Parameter, restricted: bool) -> aioxen.ReceivedAllowed | None:
        given = {f"{kind}s": list(ctx.params.pop(f"allow_{kind}")) for kind in kinds}
        return aioxen.ReceivedAllowed(**given) if restricted or any(given.values()) else None

    function = click.option(
        "--restrict",
        "allowed",
        is_flag=True,
        callback=take,
        help="Refuse a guest that names anything of this machine that no --allow option allows.",
    )(function)
    for kind, words in kinds.items():
        function = click.option(
            f"--allow-{kind}",
            multiple=True,
            is_eager=True,
            metavar="PATTERN",
            help=f"The guest may name a {words} that matches; implies --restrict.",
        )(function)
    return function


@command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-p", "paused", is_flag=True, help="Leave the domain paused.")
@allow_options
async def restore(session: Session, file: Path, paused: bool, allowed: aioxen.ReceivedAllowed | None) -> None:
    """Restores a domain from a file of `aioxen save` or `xl save`, and lets it run.

    No supervisor is left, as with `xl restore -e`.
    """
    made: list[aioxen.Domain] = []

    async def act(report: Report) -> Done:
        dom = await session.xen.restore(file, allowed=allowed, timeout=session.timeout)
        made.append(dom)
        if not paused:
            await dom.unpause()
        record = {"outcome": "restored", "domid": dom.domid, "uuid": str(dom.uuid)}
        return Done(f"restored as domain {dom.domid}", record)

    async def state() -> str:
        return await state_of(session, made[0]) if made else "there is no domain"

    await all_of(session, [Handled(str(file), act, state)])
