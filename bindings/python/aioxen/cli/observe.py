# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that show what the library does: trace, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aioxen.cli.core import COMMANDS, Session, command
from aioxen.trace import run

if TYPE_CHECKING:
    from aioxen._metric_endpoint import Endpoint

F = TypeVar("F", bound=Callable[..., Any])


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


NEEDED = "the package prometheus-client is needed"


def giving(function: F) -> F:
    """Adds the options that say where metrics go."""
    for option in reversed(_GIVING):
        function = option(function)
    return function


_GIVING = (
    click.option("--textfile", metavar="FILE", help="Write this file again and again, for node_exporter."),
    click.option("--socket", metavar="PATH", help="Serve the metrics by HTTP on this unix socket."),
    click.option(
        "--interval",
        metavar="SECONDS",
        type=click.FloatRange(0, min_open=True),
        default=15,
        show_default=True,
        help="The time between two files.",
    ),
    click.option("--once", is_flag=True, help="Write FILE once."),
)


@command("metrics")
@giving
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
        raise click.ClickException(f"{NEEDED}: {error}") from None
    async with Metrics(session.xen, devices=devices) as made:
        await give(made, textfile, socket, interval, once)


async def give(
    endpoint: Endpoint, textfile: str | None, socket: str | None, interval: float, once: bool
) -> None:
    """Prints, writes or serves metrics, as the options say."""
    async with contextlib.AsyncExitStack() as stack:
        if socket:
            await stack.enter_async_context(endpoint.serve(socket))
        if textfile and once:
            await endpoint.write(textfile)
        elif textfile:
            await endpoint.write_every(textfile, interval)
        elif socket:
            await asyncio.Event().wait()
        else:
            click.echo(await endpoint.render(), nl=False)
