# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of the simulated hypervisor."""

import os
import sys
from pathlib import Path

import click

from aioxen_sim import programs
from aioxen_sim.world import FAILED, World, WorldError

_OPENS = ["xencall_open", "evtchn.open", "foreign.open", "gnttab.open", "devicemodel.open", "xenstore.open"]


def _download(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.exit(programs.download())


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--no-hypervisor", is_flag=True, help="A machine without Xen: every open fails with ENOENT.")
@click.option("--no-xenstored", is_flag=True, help="A hypervisor without xenstored and xenconsoled.")
@click.option(
    "--no-permission", is_flag=True, help="COMMAND cannot open the hypervisor or xenstored (EACCES)."
)
@click.option(
    "--memory",
    metavar="MB",
    type=click.IntRange(16, 1 << 20),
    default=32768,
    show_default=True,
    help="Memory of the machine. Pages that are never written need no real memory.",
)
@click.option(
    "--without",
    "missing",
    multiple=True,
    type=click.Choice(["pv", "hvm", "hap", "shadow", "gnttab-v1", "gnttab-v2", "directio"]),
    help="A capability that the hypervisor does not have. Can be repeated.",
)
@click.option(
    "--bridge",
    "bridges",
    metavar="NAME",
    multiple=True,
    default=["xenbr0"],
    show_default=True,
    help="A bridge that domain 0 has. Can be repeated; an empty NAME counts as none.",
)
@click.option(
    "--fault",
    "faults",
    metavar="SPEC",
    multiple=True,
    help="A fault for each process of COMMAND: CALL[:WHEN]:ACTION, or dying=MS. Can be repeated.",
)
@click.option(
    "--trace",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append every call of every process to FILE.",
)
@click.option(
    "--download",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_download,
    help="Unpack Debian's xenstored, xenconsoled and xl into your cache directory, once, and exit.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def main(
    no_hypervisor: bool,
    no_xenstored: bool,
    no_permission: bool,
    memory: int,
    missing: tuple[str, ...],
    bridges: tuple[str, ...],
    faults: tuple[str, ...],
    trace: Path | None,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND on a simulated Xen machine of its own. The machine ends with COMMAND.

    Output and exit status are those of COMMAND (128 + n: killed by signal n).
    """
    rules = [
        *(("AIOXEN_SIM_FAULTS", spec) for spec in os.environ.get("AIOXEN_SIM_FAULTS", "").split(",") if spec),
        *(("--fault", spec) for option in faults for spec in option.split(",")),
        *(("--no-permission", f"{name}:EACCES") for name in _OPENS if no_permission),
    ]
    if trace:
        try:
            trace.open("ab").close()
        except OSError as error:
            raise click.BadParameter(f"{trace}: {error.strerror}", param_hint="'--trace'") from None
    world = World(
        tools=programs.find(),
        command=command,
        memory_mb=memory,
        missing=missing,
        bridges=[name for name in bridges if name],
        hypervisor=not no_hypervisor,
        xenstored=not no_xenstored,
        trace=trace.absolute() if trace else None,
        faults=[spec for _, spec in rules],
    )
    try:
        world.tools.check()
        for source, spec in rules:
            world.tools.check_fault(source, spec)
        status = world.run()
        sys.stdout.flush()
        # Skips the exit handlers of libraries that the user preloads, such as the handler of a leak checker.
        os._exit(status)
    except WorldError as error:
        print(f"aioxen-sim: {error}", file=sys.stderr)
        sys.exit(FAILED)
