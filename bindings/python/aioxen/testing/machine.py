# SPDX-License-Identifier: LGPL-2.1-or-later
"""The values of the fixtures xen_sim and xen_vm: the Xen machine on which the tests run."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import aioxen

_T = TypeVar("_T")
DESTROY_LIMIT_S = 60.0


def in_simulator() -> bool:
    """Returns whether this process runs on a simulated machine."""
    return "AIOXEN_SIM_DIR" in os.environ


def in_dom0() -> bool:
    """Returns whether this process runs in the dom0 of a real Xen."""
    with suppress(OSError):
        return not in_simulator() and "control_d" in Path("/proc/xen/capabilities").read_text()
    return False


def _run(function: Callable[[aioxen.Context], Coroutine[Any, Any, _T]]) -> _T:
    """Runs a function with a context, in a thread of its own. A fixture must not touch the event loop that a
    plugin has set in the main thread."""

    async def use() -> _T:
        async with aioxen.Context() as xen:
            return await function(xen)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, use()).result()


class Machine:
    """A Xen machine. This process runs in its domain 0."""

    def domids(self) -> frozenset[int]:
        """Returns the numbers of all domains. The call blocks until the hypervisor has answered."""

        async def ask(xen: aioxen.Context) -> frozenset[int]:
            return frozenset(info.domid for info in await xen.domain_list())

        return _run(ask)

    def destroy(self, domids: Iterable[int]) -> None:
        """Destroys domains, and waits until they are gone. Domains that do not exist are ignored.

        Raises aioxen.Error if a domain is not gone after a minute.
        """
        wanted = list(domids)
        if not wanted:
            return

        async def destroy(xen: aioxen.Context) -> None:
            for domid in wanted:
                with suppress(aioxen.DomainNotFoundError):
                    await xen.domain_destroy(domid, timeout=DESTROY_LIMIT_S)

        _run(destroy)


class Simulator(Machine):
    """A simulated Xen machine. This process runs in its domain 0.

    The methods block for the few milliseconds that the command aioxen-sim-ctl takes.
    """

    @property
    def kernel(self) -> Path:
        """The path of a kernel for guests, which can be loaded as PV and as PVH. The simulator does not run
        the kernel: it does what a guest would do."""
        return Path(os.environ["AIOXEN_SIM_KERNEL"])

    def guest(
        self,
        command: str = "l",
        *,
        name: str = "guest",
        machine: Literal["pv", "pvh"] = "pv",
        memory: int | str = "24M",
        **settings: Any,
    ) -> aioxen.DomainConfig:
        """Returns the configuration of a small guest.

        command: What the guest does. The first letter selects it: "l" obeys shutdown requests, "b" ignores
        them, "p" powers off at once, "r" reboots, "c" crashes, "d20" powers off after 2 s. The word
        "frontend=mute", for example, tells how the drivers of its devices behave.

        settings: Further arguments of aioxen.pv() or aioxen.pvh().
        """
        make = aioxen.pv if machine == "pv" else aioxen.pvh
        return make(name, self.kernel, memory=memory, cmdline=command, **settings)

    def fault(
        self,
        call: str,
        *,
        error: str | None = None,
        delay: float | None = None,
        nth: int | str = "*",
        everywhere: bool = False,
    ) -> Fault:
        """Makes calls fail or wait, until the fault is cleared or the test ends.

        call: The name of the call, such as "domctl.pausedomain" or "xenstore.open". names() lists all.

        error: The name of the errno with which the call fails, such as "EBUSY".

        delay: The time in seconds that the call takes longer. Only its caller waits.

        nth: Which calls, counted from now: 2 is the second, "2+" the second and all later ones, "2-4" the
        second to the fourth, "/3" every third, "*" every call.

        everywhere: Counts and affects the calls of all processes of the machine, not only of this process.

        Raises ValueError for a call, an error or a number that the simulator does not know.
        """
        if (error is None) == (delay is None):
            raise ValueError("a fault has either error= or delay=")
        action = error if delay is None else f"{round(delay * 1000)}ms"
        who = [] if everywhere else ["--pid", str(os.getpid())]
        spec = f"{call}:{nth}:{action}"
        return Fault(self, int(self.control("fault", "add", *who, spec)), spec)

    def clear_faults(self) -> None:
        """Ends all faults, also those of the option --fault."""
        self.control("fault", "clear")

    def calls(self, prefix: str = "") -> dict[str, int]:
        """Returns how often each call was made on this machine, by name. Calls that were never made are left
        out."""
        lines = self.control("calls", *([prefix] if prefix else [])).splitlines()
        return {name: int(count) for count, name in (line.split() for line in lines)}

    def names(self) -> list[str]:
        """Returns the names of all calls that can fail or wait."""
        return self.control("names").split()

    def control(self, *arguments: str) -> str:
        """Runs aioxen-sim-ctl and returns its output, such as control("xenstored", "stop") or
        control("shutdown", "1", "crash").

        Raises ValueError with the words of the command, if it refuses the arguments.
        """
        done = subprocess.run(["aioxen-sim-ctl", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(done.stderr.strip().removeprefix("aioxen-sim-ctl: "))
        return done.stdout

    def restore(self) -> None:
        """Ends all faults. The daemons run, and guests and devices behave as usual, whatever a test has done
        to them."""
        self.clear_faults()
        self.control("behaviours", "clear")
        for daemon in "xenstored", "xenconsoled":
            with suppress(ValueError):  # The daemon has ended.
                self.control(daemon, "cont")
        with socket.socket(socket.AF_UNIX) as connection:
            if connection.connect_ex("/run/xenstored/socket"):
                self.control("xenstored", "start")


@dataclass(frozen=True)
class Fault:
    """A fault of a simulated machine. As a context manager, it ends with its block."""

    simulator: Simulator
    number: int
    spec: str
    """CALL:WHEN:ACTION, as aioxen-sim-ctl takes it."""

    @property
    def hits(self) -> int:
        """How many calls have failed or waited so far."""
        for line in self.simulator.control("fault", "list").splitlines():
            number, *_, hits = line.split()
            if int(number) == self.number:
                return int(hits)
        raise ValueError(f"the fault {self.spec} was cleared")

    def clear(self) -> None:
        """Ends the fault. It can be cleared twice."""
        with suppress(ValueError):
            self.simulator.control("fault", "clear", str(self.number))

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
