# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of aioxen-vm-pair. It starts aioxen-vm twice."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from .machine import DISK_SIZE

LAUNCHER = Path(__file__).resolve().parent.parent / "aioxen-vm"


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, required=True, metavar="[OPTIONS OF aioxen-vm] -- COMMAND")
def main(arguments: Sequence[str]) -> None:
    """Runs COMMAND in the dom0s of two machines.

    AIOXEN_VM_NUMBER is 1 in one machine and 2 in the other. The interfaces eth0 of both dom0s are connected
    with each other, and have no IP address. /dev/vda is one empty disk of 64 MiB for both machines. The
    output of both commands is printed. The exit status is 0 if both commands succeed. If one command fails,
    the other one is ended with its machine, and the exit status is that of the failed one.
    """
    sockets = socket.socketpair(type=socket.SOCK_DGRAM)
    with tempfile.NamedTemporaryFile() as disk:
        disk.truncate(DISK_SIZE)
        running = {}
        for number, end in enumerate(sockets, 1):
            environment = os.environ | {"AIOXEN_VM_NUMBER": str(number)}
            command = [LAUNCHER, "--link", str(number), str(end.fileno()), "--disk", disk.name, *arguments]
            process = subprocess.Popen(
                command, env=environment, pass_fds=[end.fileno()], stdin=subprocess.DEVNULL
            )
            running[process.pid] = process
            end.close()
        sys.exit(_wait(running))


def _wait(running: dict[int, "subprocess.Popen[bytes]"]) -> int:
    """Waits for the end of all processes. Returns the first exit status that is not 0, or 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        while running:
            pid, status = os.wait()
            process = running.pop(pid)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                return process.returncode if process.returncode > 0 else 128 - process.returncode
        return 0
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
