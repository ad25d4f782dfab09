# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that show what the library does: trace, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import click

from aioxen.cli.core import COMMANDS, Session, command
from aioxen.trace import run


@click.command("trace", context_settings={"allow_interspersed_args": False})
@click.option(
    *("-o", "--output"),
    metavar="BASE",
    default="trace",
    show_default=True,
    help="Write BASE.json and BASE.html.",
)
@click.argument("script", type=click.Path(exists=True, dir_okay=False))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def trace(output: str, script: str, arguments: tuple[str, ...]) -> None:
    """Runs a Python program and records when its operations ran.

    SCRIPT is run with ARGUMENTS. When it ends, BASE.json has the trace in Chrome's format, for
    ui.perfetto.dev and chrome://tracing, and BASE.html shows a timeline in a browser, without a network.
    The exit status is that of SCRIPT.
    """
    sys.exit(run(script, arguments, output))


COMMANDS["trace"] = trace


@command("metrics")
@click.option("--textfile", metavar="FILE", help="Write this file again and again, for node_exporter.")
@click.option("--socket", metavar="PATH", help="Serve the metrics by HTTP on this unix socket.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=15,
    show_default=True,
    help="The time between two files.",
)
@click.option("--once", is_flag=True, help="Write FILE once.")
@click.option("--devices", is_flag=True, help="Also read the state of each device.")
async def metrics(
    session: Session, textfile: str | None, socket: str | None, interval: float, once: bool, devices: bool
) -> None:
    """Prints the metrics of the host and its domains, writes them to a file, or serves them.

    The format is that of Prometheus. The package prometheus-client is needed.
    """
    try:
        from aioxen.metrics import Metrics
    except ImportError as error:
        raise click.ClickException(f"the package prometheus-client is needed: {error}") from None
    async with contextlib.AsyncExitStack() as stack:
        made = await stack.enter_async_context(Metrics(session.xen, devices=devices))
        if socket:
            await stack.enter_async_context(made.serve(socket))
        if textfile and once:
            await made.write(textfile)
        elif textfile:
            await made.write_every(textfile, interval)
        elif socket:
            await asyncio.Event().wait()
        else:
            click.echo(await made.render(), nl=False)
