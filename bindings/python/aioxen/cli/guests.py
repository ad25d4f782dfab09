# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Guest: a guest that is supervised. When the guest stops, the action of its configuration is
carried out: on_poweroff, on_reboot and so on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import aioxen
from aioxen import ActionOnShutdown as Action
from aioxen import ShutdownReason as Reason
from aioxen.cli import exits
from aioxen.cli.core import Session
from aioxen.cli.exits import Exit
from aioxen.cli.progress import Report

DUMPS = Path("/var/lib/xen/dump")

AGAIN = (Action.RESTART, Action.RESTART_RENAME, Action.COREDUMP_RESTART)
DUMPED = (Action.COREDUMP_DESTROY, Action.COREDUMP_RESTART)
ENDED = (Action.DESTROY, *AGAIN, *DUMPED)
CRASHES = (Reason.CRASH, Reason.WATCHDOG)

SHORT_LIFE = 2.0
"""In seconds. A guest that has run for less than this time is created or reset again only after a wait of
this length. Otherwise a guest that always reboots at once would keep the host busy."""


def dump_file(folder: Path, name: str, dom: aioxen.Domain) -> Path:
    """Returns the file that a domain's memory is written to. xl names its files in the same way."""
    return folder / f"{datetime.now():%Y-%m%d-%H%M.%S}-{name.replace('/', '_')}.{dom.domid}.core"


class Guest:
    """One guest, which may be created several times."""

    dom: aioxen.Domain | None = None
    """The guest's present domain. None: the guest has ended, or its domain is left as it is."""

    def __init__(self, session: Session, config: aioxen.DomainConfig, dumps: Path) -> None:
        self.session = session
        self.config: aioxen.DomainConfig = config
        self.name: str = config.c_info.name or "?"
        self.dumps = dumps

    def say(self, text: str, event: str, **record: object) -> None:
        """Prints what has happened to the guest, with the time."""
        now = datetime.now().astimezone()
        domid = None if self.dom is None else self.dom.domid
        head = {"time": now.isoformat(), "domain": self.name, "domid": domid, "event": event}
        self.session.out.result(f"{now:%H:%M:%S} {self.name}: {text}", {**head, **record})

    async def create(self, report: Report | None = None) -> aioxen.Domain:
        """Creates the guest's domain, paused."""
        limit = self.session.timeout
        self.dom = await self.session.xen.domain_create(self.config, timeout=limit, progress=report)
        return self.dom

    async def supervise(self) -> None:
        """Waits until the guest stops, and carries out the action. Repeats this as long as the guest is
        created again."""
        again = True
        while again:
            began = time.monotonic()
            if (dom := self.dom) is None:
                dom = await self.create()
                await dom.unpause()
                self.say(f"runs as domain {dom.domid}", "running")
            try:
                reason = await dom.wait_shutdown()
                self.session.code = Exit.CRASHED if reason in CRASHES else self.session.code
                again = await self._carry_out(dom, reason)
            except (aioxen.DomainDestroyedError, aioxen.DomainNotFoundError):
                self.say("was destroyed by another program", "destroyed")
                self.dom = None
                return
            if again and time.monotonic() - began < SHORT_LIFE:
                await asyncio.sleep(SHORT_LIFE)

    async def _carry_out(self, dom: aioxen.Domain, reason: Reason) -> bool:
        """Carries out the action for a guest that has stopped. Returns True if the guest goes on or must be
        created again. Otherwise returns False."""
        # Reads the configuration again, because the guest's name and devices may have changed since its
        # creation.
        self.config = await dom.configuration()
        self.name = self.config.c_info.name or self.name
        what = aioxen.shutdown_action(self.config, reason)
        words = "rename-restart" if what is Action.RESTART_RENAME else str(what).replace("_", "-")
        self.say(f"has stopped: {reason}; action: {words}", "stopped", reason=str(reason), action=words)
        if what is Action.SOFT_RESET:
            await dom.soft_reset(self.config, timeout=self.session.timeout)
            await dom.unpause()
            self.say("goes on after a soft reset", "reset")
            return True
        if what in DUMPED:
            await self._dump(dom)
        if what is Action.RESTART_RENAME:
            await dom.rename(f"{self.name}-{dom.domid}")
            self.config.c_info.uuid = uuid4()
        elif what in ENDED:
            await dom.destroy()
        self.dom = None
        return what in AGAIN

    async def _dump(self, dom: aioxen.Domain) -> None:
        """Writes the guest's memory to a file. If this fails, prints the error and goes on."""
        file = dump_file(self.dumps, self.name, dom)
        try:
            await dom.core_dump(str(file))
            self.say(f"its memory is in {file}", "dumped", file=str(file))
        except aioxen.Error as error:
            self.session.out.error(error, self.name)

    async def stop(self, patience: float) -> None:
        """Asks the guest to stop, waits, and destroys the guest.

        patience: The time that the guest has to stop, in seconds.
        """
        if (dom := self.dom) is None:
            return
        how = "destroyed"
        with contextlib.suppress(aioxen.DomainNotFoundError, aioxen.DomainDestroyedError):
            try:
                how = f"asked to stop, has stopped: {await dom.shutdown(timeout=patience)}"
            except (aioxen.DomainNotFoundError, aioxen.DomainDestroyedError):
                raise
            except aioxen.Error as error:
                how = f"destroyed, because it has not stopped: {exits.text_of(error)}"
            await dom.destroy()
        self.say(how, "ended", how=how)
        self.dom = None
