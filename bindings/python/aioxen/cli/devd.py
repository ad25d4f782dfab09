# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command devd: the hotplug daemon of a driver domain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.exits import Exit
from aioxen.cli.notify import Background, notify

LOG = Path("/var/log/xen/aioxen-devd.log")


def _show_failures() -> None:
    """Prints the library's warnings and errors. No other program reports why a device is not connected."""
    logger = logging.getLogger("aioxen")
    if not any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
        logger.addHandler(logging.StreamHandler())


def _prepare(session: Session, arguments: dict[str, Any]) -> None:
    _show_failures()
    if not arguments.pop("foreground"):
        session.ready = Background(LOG).ready


@contextlib.contextmanager
def _pid_in(file: Path | None) -> Iterator[None]:
    """Writes the process id into a file, and removes the file at the end."""
    if file is not None:
        file.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        if file is not None:
            file.unlink(missing_ok=True)


@command("devd", before=_prepare)
@click.option("-F", "foreground", is_flag=True, help=f"Stay in the foreground. Otherwise the log is {LOG}.")
@click.option("-p", "--pidfile", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the process id into this file.")  # fmt: skip
async def devd(session: Session, pidfile: Path | None) -> None:
    """Serves the devices that other domains have from this domain.

    It runs in a driver domain, as `xl devd` does. When a toolstack in another domain adds a disk, a network
    interface or a shared folder whose backend is in this domain, the command connects the device here. It
    releases the device when the guest has closed it. It ends by a signal; devices that are connected stay.
    After SIGTERM the exit status is 0. Under systemd (Type=notify) see aioxen-devd.service.
    """

    def report(event: object) -> None:
        if isinstance(event, aioxen.OperationProgress) and event.phase == "serve":
            session.out.note("serves the backends of this domain")
            session.ready()
            notify("READY=1")

    with _pid_in(pidfile):
        try:
            await session.xen.serve_backends(progress=report)
        except asyncio.CancelledError:
            if session.signal is not signal.SIGTERM:
                raise
            session.signal, session.code = None, Exit.OK
            current = asyncio.current_task()
            assert current is not None
            current.uncancel()
