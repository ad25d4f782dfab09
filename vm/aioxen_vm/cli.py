# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of aioxen-vm."""

import math
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import click

from . import accel, session, snapshot
from .console import Console
from .machine import Machine, MachineError, Outside, Shape

PROJECT = Path(__file__).resolve().parent.parent.parent
PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The variables of the caller's environment that the command gets without --env.
PASSED = ("PYTHONPATH", "LD_LIBRARY_PATH", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "CI")
PASSED_PREFIXES = ("AIOXEN_", "PYTEST_", "HYPOTHESIS_", "PYTHON")

# The allowed numbers of seconds. poll(2) takes an int, so there is an upper limit.
SECONDS = click.FloatRange(min=0, min_open=True, max=1_000_000)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True)
DIRECTORY = click.Path(path_type=Path, exists=True, resolve_path=True)


def _environment(extra: tuple[str, ...]) -> dict[str, str]:
    environment = {"HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
    for name, value in os.environ.items():
        if name in PASSED or name.startswith(PASSED_PREFIXES):
            environment[name] = value
    inside = [entry for entry in os.environ.get("PATH", "").split(":") if entry.startswith(f"{PROJECT}/")]
    environment["PATH"] = ":".join([*inside, PATH])
    for setting in extra:
        name, equals, value = setting.partition("=")
        if not name:
            raise click.BadParameter(f"{setting!r} has no name", param_hint="'--env'")
        if equals:
            environment[name] = value
        elif name in os.environ:
            environment[name] = os.environ[name]
    return environment


def _number(_: click.Context, __: click.Parameter, given: float | None) -> float | None:
    if given is not None and math.isnan(given):  # click's ranges accept NaN.
        raise click.BadParameter("not a number")
    return given


@contextmanager
def _raw_terminal(wanted: bool) -> Iterator[None]:
    """If `wanted`, passes all keys, including Ctrl-C, to dom0's terminal until the end of the block."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@click.command(context_settings={"allow_interspersed_args": False, "show_default": True})
@click.argument("command", nargs=-1, required=True)
@click.option(
    "-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Sets a variable, or passes it to COMMAND."
)
@click.option("-t", "--timeout", type=SECONDS, callback=_number, metavar="SECONDS", help="Time limit.")
@click.option("-i", "--interactive", is_flag=True, help="Passes all keys to COMMAND, such as a shell.")
@click.option("-c", "--console", type=click.File("wb", lazy=False), help="Writes Xen's console to a file.")
@click.option("-m", "--memory", type=click.IntRange(640), default=1024, help="MiB for all domains.")
@click.option("-d", "--dom0-memory", type=click.IntRange(320), default=512, help="MiB of it for dom0.")
@click.option("-n", "--cpus", type=click.IntRange(1, 16), default=1, help="Processors.")
@click.option(
    "--link",
    type=(click.IntRange(1, 254), click.IntRange(3)),
    metavar="N FD",
    help="Connects dom0's eth0 to the datagram socket FD. Its address is 02:00:00:00:00:N.",
)
@click.option(
    "--disk", type=FILE, metavar="FILE", help="Shows FILE (64 MiB) as /dev/vda. Machines can share it."
)
@click.option("--passthrough", is_flag=True, help="Adds an IOMMU, a network card and a USB stick for guests.")
@click.option("--xen", default="", metavar="ARGS", help="Added to Xen's command line.")
@click.option("--linux", default="", metavar="ARGS", help="Added to the command line of dom0's kernel.")
@click.option("--accel", "wanted", type=click.Choice(["auto", "kvm", "tcg"]), default="auto")
@click.option(
    "--image", type=DIRECTORY, default=PROJECT / "build/vm", help="The directory that `make vm` filled."
)
def main(
    command: tuple[str, ...],
    env: tuple[str, ...],
    timeout: float | None,
    interactive: bool,
    console: IO[bytes] | None,
    memory: int,
    dom0_memory: int,
    cpus: int,
    link: tuple[int, int] | None,
    disk: Path | None,
    passthrough: bool,
    xen: str,
    linux: str,
    wanted: str,
    image: Path,
) -> None:
    """Runs COMMAND in the dom0 of a real Xen in QEMU.

    COMMAND sees the project's tree at the same path and runs in the current directory. Output and exit status
    are those of COMMAND. 124: time limit reached, 125: the machine died, 126: COMMAND cannot be run,
    127: COMMAND was not found.
    """
    if interactive and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("--interactive needs a terminal")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(session.SIGNALLED + signal.SIGTERM))
    shape = Shape(wanted, memory, dom0_memory, cpus, xen, linux, passthrough)
    cwd = Path.cwd()
    shares = {"project": PROJECT} if cwd.is_relative_to(PROJECT) else {"project": PROJECT, "cwd": cwd}
    number, socket = link or (0, None)
    run = {
        "argv": command,
        "cwd": str(cwd),
        "env": _environment(env),
        "image": str(image) if image.is_relative_to(PROJECT) else "",
        "mounts": [(tag, str(path)) for tag, path in shares.items()],
        "number": number,
    }
    try:
        machine = _start(image, shape, Outside(shares, socket, disk))
        try:
            with _raw_terminal(interactive):
                sys.exit(session.Session(machine, run, timeout, interactive, Console(console)).run())
        finally:
            machine.end()
    except MachineError as error:
        click.echo(f"aioxen-vm: {error}", err=True)
        sys.exit(session.MACHINE_DIED)
    except BrokenPipeError:  # The program that reads this output has closed it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(session.SIGNALLED + signal.SIGPIPE)


def _start(image: Path, shape: Shape, outside: Outside) -> Machine:
    """Starts a machine. Uses KVM if KVM is allowed and works, otherwise emulation."""
    if shape.accel != "auto":
        return snapshot.start(image, shape, outside)
    remembered = image / "accel"
    if accel.choose(remembered) == "kvm":
        try:
            return snapshot.start(image, replace(shape, accel="kvm"), outside)
        except MachineError:
            click.echo("aioxen-vm: Xen does not boot under KVM here; using emulation", err=True)
            accel.remember(remembered, "tcg")
    return snapshot.start(image, replace(shape, accel="tcg"), outside)
