# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Guest: one guest of the supervisor, which may be created several times."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from pathlib import Path
from uuid import uuid4

import aioxen
from aioxen import ActionOnShutdown as Action

from supervision.memory import Balancer

AGAIN = (Action.RESTART, Action.RESTART_RENAME, Action.COREDUMP_RESTART)
DUMPED = (Action.COREDUMP_DESTROY, Action.COREDUMP_RESTART)
GONE = (aioxen.DomainNotFoundError, aioxen.DomainDestroyedError, aioxen.DomainGoneError)

SHORT_LIFE = 5.0
"""In seconds. A life is the time from a creation of the guest's domain to its end. After a shorter life, the
guest is created again only after a longer wait."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 30.0
"""The waits after lives, in seconds. After each short life the wait is twice as long as the one before."""


class State(StrEnum):
    """The state of a guest."""

    STARTING = auto()
    RUNNING = auto()
    WAITING = auto()  # It is created again soon.
    STOPPING = auto()
    ENDED = auto()  # Its domain is gone.
    PRESERVED = auto()  # Its domain has stopped, and is left as it is.
    FAILED = auto()


@dataclass(frozen=True)
class Rules:
    """The settings that all guests share."""

    patience: float  # The time that a guest has to stop after a request, in seconds.
    dumps: Path  # The directory of core dumps.


class Guest:
    """One guest. run() creates it, and creates it again as its configuration says. Cancelling run() stops the
    guest: it is asked to power off, and destroyed if it has not stopped in time."""

    def __init__(
        self,
        xen: aioxen.Context,
        config: aioxen.DomainConfig,
        rules: Rules,
        balancer: Balancer,
        report: Callable[[str, str], None],
    ) -> None:
        self.xen, self.config, self.rules, self.balancer, self.report = xen, config, rules, balancer, report
        self.name = config.c_info.name or ""
        self.state = State.ENDED
        self.dom: aioxen.Domain | None = None
        self.lives = 0
        self.reason: aioxen.ShutdownReason | None = None  # The reason why the last life has ended.
        self.error: aioxen.Error | None = None

    def say(self, text: str) -> None:
        self.report(self.name, text)

    async def run(self) -> None:
        """Runs the guest again and again, until the action for its stop destroys or preserves the domain."""
        wait = FIRST_WAIT
        self.error = None
        try:
            while True:
                began = time.monotonic()
                if not await self._live():
                    return
                wait = FIRST_WAIT if time.monotonic() - began >= SHORT_LIFE else min(2 * wait, LONGEST_WAIT)
                self.state = State.WAITING
                await asyncio.sleep(wait)
                self.say("created anew")
        except GONE:
            self.say("was destroyed by another program")
            self.state = State.ENDED
        except aioxen.Error as error:
            self.say(f"failed: {error}")
            self.state, self.error = State.FAILED, error
        except asyncio.CancelledError:
            self.state = State.ENDED
            raise
        finally:
            self.dom = None

    async def _live(self) -> bool:
        """Runs the guest once. Returns whether the guest must be created again."""
        self.state = State.STARTING
        self.dom = dom = await self.xen.domain_create(self.config)
        balanced = self.balancer.follow(self.name, dom, self.config)
        try:
            await dom.unpause()
            self.lives += 1
            self.state = State.RUNNING
            self.say(f"runs as domain {dom.domid}")
            while True:
                self.reason = await dom.wait_shutdown()
                if aioxen.shutdown_action(self.config, self.reason) is not Action.SOFT_RESET:
                    break
                self.say("asks for a soft reset")
                await dom.soft_reset(await dom.configuration())
                await dom.unpause()
                await asyncio.sleep(FIRST_WAIT)  # A guest that always asks does not keep the host busy.
            balanced.cancel()
            return await self._carry_out(dom, self.reason)
        except asyncio.CancelledError:
            await self._stop(dom)
            raise
        finally:
            balanced.cancel()

    async def _carry_out(self, dom: aioxen.Domain, reason: aioxen.ShutdownReason) -> bool:
        """Carries out the action for a guest that has stopped. Returns whether the guest must be created
        again."""
        what = aioxen.shutdown_action(self.config, reason)
        self.say(f"has stopped: {reason}; action: {what}")
        if what is not Action.DESTROY and what not in (*AGAIN, *DUMPED):
            self.state = State.PRESERVED
            return False
        if what in DUMPED:
            await self._dump(dom)
        if what in AGAIN:
            # This configuration also has the UUID and the MAC addresses that the library has chosen.
            self.config = await dom.configuration()
        if what is Action.RESTART_RENAME:
            await dom.rename(f"{self.name}-{dom.domid}")
            self.config.c_info.uuid = uuid4()
        else:
            await dom.destroy()
        self.state = State.ENDED
        return what in AGAIN

    async def _dump(self, dom: aioxen.Domain) -> None:
        """Writes the guest's memory to a file. If this fails, reports the error and goes on."""
        file = (
            self.rules.dumps
            / f"{datetime.now():%Y-%m%d-%H%M.%S}-{self.name.replace('/', '_')}.{dom.domid}.core"
        )
        try:
            await dom.core_dump(str(file))
            self.say(f"its memory is in {file}")
        except aioxen.Error as error:
            self.say(f"its memory cannot be written: {error}")

    async def _stop(self, dom: aioxen.Domain) -> None:
        """Asks the guest to stop, waits, and destroys the guest."""
        self.state = State.STOPPING
        try:
            self.say(f"asked to stop: {await dom.shutdown(timeout=self.rules.patience)}")
        except GONE:
            self.say("was destroyed by another program")
        except aioxen.Error as error:
            self.say(f"destroyed, because it has not stopped: {type(error).__name__}")
        with contextlib.suppress(*GONE):
            await dom.destroy()
