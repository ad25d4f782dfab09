# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of aioxen-vm."""

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from . import accel, session, snapshot
from .machine import Console, MachineError, Shape

PROJECT = Path(__file__).resolve().parent.parent.parent
PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What of the caller's environment the command gets as well, beside --env.
PASSED = ("PYTHONPATH", "LD_LIBRARY_PATH", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "CI")
PASSED_PREFIXES = ("AIOXEN_", "PYTEST_", "HYPOTHESIS_", "PYTHON")


def _environment(extra: tuple[str, ...]) -> dict[str, str]:
    environment = {"HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
    for name, value in os.environ.items():
        if name in PASSED or name.startswith(PASSED_PREFIXES):
            environment[name] = value
    inside = [entry for entry in os.environ.get("PATH", "").split(":") if entry.startswith(f"{PROJECT}/")]
    environment["PATH"] = ":".join([*inside, PATH])
    for setting in extra:
        name, equals, value = setting.partition("=")
        if equals:
            environment[name] = value
        elif name in os.environ:
            environment[name] = os.environ[name]
    return environment


@contextmanager
def _raw_terminal(wanted: bool) -> Iterator[None]:
    """Keys go to dom0's terminal unchanged, Ctrl-C among them."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True)
@click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Sets or passes on an environment variable.")
@click.option("-t", "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Time limit; exit status 124.")
@click.option("-i", "--interactive", is_flag=True, help="The terminal is the command's, with all keys (a shell, an editor).")
@click.option("-c", "--console", type=click.File("wb"), help="Writes Xen's console to a file.")
@click.option("-m", "--memory", type=click.IntRange(640), default=1024, show_default=True, help="MiB for all domains.")
@click.option("-d", "--dom0-memory", type=click.IntRange(320), default=512, show_default=True, help="MiB of these for dom0.")
@click.option("-n", "--cpus", type=click.IntRange(1, 16), default=1, show_default=True, help="Processors.")
@click.option("--xen", default="", metavar="ARGS", help="More for Xen's command line.")
@click.option("--linux", default="", metavar="ARGS", help="More for the command line of dom0's kernel.")
@click.option("--accel", "accelerator", type=click.Choice(["auto", "kvm", "tcg"]), default="auto", show_default=True)
@click.option("--image", type=click.Path(path_type=Path), default=PROJECT / "build/vm", help="What `make vm` built.")
def main(
    command: tuple[str, ...],
    env: tuple[str, ...],
    timeout: float | None,
    interactive: bool,
    console: click.utils.LazyFile | None,
    memory: int,
    dom0_memory: int,
    cpus: int,
    xen: str,
    linux: str,
    accelerator: str,
    image: Path,
) -> None:
    """Runs COMMAND in the dom0 of a real Xen in QEMU.

    It sees the project's tree at its own path, works in the current directory, and its output and exit status come back.
    124: out of time, 125: the machine died, 126 and 127: COMMAND cannot be run or was not found.
    """
    if interactive and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("--interactive needs a terminal")
    cwd = Path.cwd()
    shares = {"project": PROJECT}
    if not cwd.is_relative_to(PROJECT):
        shares["cwd"] = cwd
    image.mkdir(parents=True, exist_ok=True)
    chosen = accel.choose(image / "accel") if accelerator == "auto" else accelerator
    shape = Shape(chosen, memory, dom0_memory, cpus, xen, linux)
    try:
        try:
            machine = snapshot.start(image.resolve(), shape, shares)
        except MachineError:
            if chosen != "kvm" or accelerator == "kvm":
                raise
            click.echo("aioxen-vm: Xen does not come up under KVM here; emulating", err=True)
            accel.remember(image / "accel", "tcg")
            shape = Shape("tcg", memory, dom0_memory, cpus, xen, linux)
            machine = snapshot.start(image.resolve(), shape, shares)
        try:
            run = {
                "argv": command,
                "cwd": str(cwd),
                "env": _environment(env),
                "mounts": [(tag, str(path)) for tag, path in shares.items()],
            }
            with _raw_terminal(interactive):
                status = session.Session(machine, run, timeout, interactive, Console(console)).run()
        finally:
            machine.end()
    except MachineError as error:
        click.echo(f"aioxen-vm: {error}", err=True)
        status = session.MACHINE_DIED
    sys.exit(status)
