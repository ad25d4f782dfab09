# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Domain, the handle of one domain."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import TYPE_CHECKING

from aioxen._handle import Handle
from aioxen._operations import ContextOperations, DomainOperations
from aioxen.errors import DomainNotFoundError
from aioxen.types import ConsoleType

if TYPE_CHECKING:
    import asyncio
    import os
    from uuid import UUID

    from aioxen._migrating import Transport
    from aioxen._saving import Afterwards
    from aioxen._shutdown import ShutdownFuture
    from aioxen._spec import Progress
    from aioxen.console import Console
    from aioxen.domains import DomainState
    from aioxen.operation import Operation
    from aioxen.types import DomainConfig, DomainCreateConsoleAvailable, OperationProgress, SavePolicy


class Domain(Handle, DomainOperations):
    """One domain: its domid, its UUID, and the operations on it.

    Every method that takes a domid also takes a Domain: `xen.domain_pause(dom)` does the same as
    `dom.pause()`. Two handles are equal if they have the same domid and the same UUID. A handle does not keep
    the domain alive. Xen reuses domids, so each operation first checks that the domain with this domid still
    has this UUID. If the domain has another UUID, the operation raises DomainGoneError. In this case
    wait_gone() completes with success. A domid that is given as a number is not checked.

    name() and state() are methods that are awaited, not attributes, because a domain changes at any time. The
    name is in xenstore, and reading an attribute must not wait for xenstored. The state is one hypercall,
    which can fail. domid and uuid never change.
    """

    __slots__ = ("_xen",)

    def __init__(self, xen: ContextOperations, domid: int, uuid: UUID | bytes) -> None:
        super().__init__(domid, uuid)
        self._xen = xen

    async def state(self) -> DomainState:
        """Returns what the domain does now: RUNNING, PAUSED, SHUTDOWN, DYING, or GONE. One hypercall, so
        awaiting this does not suspend the task.

        Raises: NoPermissionError, FailedError.
        """
        from aioxen.domains import DomainState, state_of

        try:
            return state_of(await self.info())
        except DomainNotFoundError:
            return DomainState.GONE

    def console(
        self, number: int = 0, type: ConsoleType = ConsoleType.UNKNOWN, *, limit: int = 1 << 16
    ) -> Console:
        """Returns the domain's console. `async with dom.console() as c:` opens the console.

        number, type: The number and the type of the console. The default is the primary console.

        limit: The greatest number of octets of unread output that are kept. It must be 2 or more.

        Raises: ValueError. Opening the console raises the errors of console_tty(), and OSError.
        """
        return self._xen._console(self, number, type, limit)

    def shutdown(
        self,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress] | None = None,
        limit: float | EllipsisType | None = ...,
    ) -> ShutdownFuture:
        """Asks the guest to power off, and waits until the domain has stopped.

        This method runs the operations domain_shutdown and domain_wait_shutdown of Context at the same time.
        domain_shutdown completes when the guest has acknowledged the request. The caller must still destroy
        the stopped domain.

        timeout: Seconds for both operations together. After this time both are stopped, and the future raises
        TimedOutError.

        progress: Receives each OperationProgress of both operations; the field `operation` of an event names
        the operation.

        limit: The older name of `timeout`. If both are given, `limit` is used.

        Returns: The reason why the domain has stopped. It may differ from the requested reason.

        Raises: GuestTimedOutError, if the guest does not acknowledge the request in time; NotReadyError, if
        the guest was suspended instead, because another task or program saves it; otherwise the errors of
        both operations.

        Cancelled: The request is withdrawn, unless the guest has acknowledged it. A guest that has
        acknowledged the request still stops.
        """
        return self._request_stop(self._xen.domain_shutdown, timeout if limit is ... else limit, progress)

    def reboot(
        self,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress] | None = None,
        limit: float | EllipsisType | None = ...,
    ) -> ShutdownFuture:
        """Asks the guest to reboot, and waits until the domain has stopped.

        The library does not start the guest again. The caller destroys the domain and creates it anew. The
        arguments, the result and the errors are those of shutdown().
        """
        return self._request_stop(self._xen.domain_reboot, timeout if limit is ... else limit, progress)

    async def save(
        self,
        target: str | os.PathLike[str] | int | asyncio.StreamWriter,
        *,
        live: bool = False,
        policy: SavePolicy | None = None,
        compression: int = 0,
        afterwards: Afterwards = "destroy",
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Progress[OperationProgress] | None = None,
    ) -> None:
        """Saves the domain with its configuration, in the format of `xl save`. Then destroys the domain.

        target: A path, a descriptor, or a stream of asyncio. A file gets its name when it is complete and on
        the disk, and replaces an older file of this name. A device or a named pipe is written to.
        A descriptor must be blocking.

        live: Whether the guest runs while most of its memory is saved.

        policy: When a live guest is suspended, and how much is sent in a second until then.

        compression: The level at which zstd compresses the file while it is written, from 1 (fast) to 19
        (small). 0: the level of the policy; without a policy the file is not compressed. Context.restore()
        recognises a compressed file. `xl restore` restores it only after `zstd -d` has decompressed it.

        afterwards: "destroy"; "resume": the guest goes on, but its disks then differ from the saved state;
        "keep": the domain stays suspended.

        timeout: Seconds for the saving.

        progress: Receives each OperationProgress. While a live guest is copied, its members `round`, `sent`,
        `dirty`, `rate` and `downtime_ms` are set.

        Raises: the errors of save_stream(); OSError, for a file. After these errors the guest goes on, and no
        file is left. If the file is complete, but the domain then cannot be destroyed or resumed, the error
        says so. The file stays. The guest does not run: it is suspended, unless its destruction has begun.
        The program can try destroy() or resume() again.

        Cancelled: The guest goes on, and no file is left. But if the file has its name already, the save
        goes on to its end.
        """
        # Imported at the first use, because this import takes time.
        from aioxen._saving import save

        await save(self, self._xen, target, live, policy, compression, afterwards, timeout, progress)

    async def migrate(
        self,
        transport: Transport,
        *,
        live: bool = True,
        policy: SavePolicy | None = None,
        compression: int = 0,
        receiver: str = "aioxen migrate-receive",
        ask: bool | None = None,
        unannounced: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Progress[OperationProgress] | None = None,
    ) -> None:
        """Moves the running guest to another machine. The bytes are those of `xl migrate`, so the other side
        is Context.receive(), `aioxen migrate-receive` or `xl migrate-receive`. The disks are not copied.

        transport: How the other side is reached. "ssh://[USER@]HOST[:PORT]": ssh runs `receiver` there. A
        list of strings: a command, whose standard input and output are connected to the other side. A path:
        a unix socket. A connected socket. A StreamReader and a StreamWriter of asyncio, for example of a TLS
        connection.

        live: Whether the guest runs while most of its memory is sent.

        policy: When a live guest is suspended, and how much is sent in a second until then.

        compression: As for save(). The other side must be of this library.

        receiver: The command that ssh runs, for example "xl migrate-receive".

        ask: Whether the other side, which must be of this library, is asked before anything of the guest is
        sent. It checks the configuration, the name, the memory, the devices and the processors. If it cannot
        receive the guest, the error is its own, with its words. None: it is asked if ssh runs the command
        `aioxen`.

        unannounced: Whether a PV or PVH guest is migrated that has not announced that it can suspend itself.
        Otherwise GuestCannotAnswerError is raised. Linux before 4.13 does not announce it.

        timeout: Seconds for the migration.

        progress: Receives each OperationProgress. The phases are those of domain_migrate_stream().

        Raises: the errors of domain_migrate_stream(); OSError: there is no connection. After success the
        guest runs there. The migration also succeeds if the domain here cannot be destroyed at once. In this
        case a warning is logged, and the destruction is tried again until the context is closed. After that
        Context.unfinished() lists the domain. After OwnerUnknownError the domain here is suspended, and the
        guest may run on the other machine. After another error the guest runs here.

        Cancelled: The guest runs here, unless the other side has already been told to run the guest.
        Context.unfinished() lists the domain if it is not known where the guest runs.
        """
        # Imported at the first use, because this import takes time.
        from aioxen._migrating import migrate

        await migrate(
            self,
            self._xen,
            transport,
            live,
            policy,
            compression,
            receiver,
            ask,
            unannounced,
            timeout,
            progress,
        )

    def soft_reset(
        self,
        config: DomainConfig,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress | DomainCreateConsoleAvailable] | None = None,
    ) -> Operation[None]:
        """Makes the devices and nodes of the stopped domain anew, so that its guest can continue. The
        domain is paused afterwards.

        config: The configuration, which configuration() returns.

        The other arguments, the errors and the effect of a cancellation are those of
        Context.domain_soft_reset().
        """
        return self._xen.domain_soft_reset(config, self, timeout=timeout, progress=progress)

    def _request_stop(
        self,
        ask: Callable[..., Operation[None]],
        timeout: float | None,
        progress: Progress[OperationProgress] | None,
    ) -> ShutdownFuture:
        request = ask(self, timeout=timeout, progress=progress)
        try:
            stopped = self._xen.domain_wait_shutdown(self, timeout=timeout, progress=progress)
            return self._xen._shutdown(request, stopped)
        except BaseException:  # This includes KeyboardInterrupt.
            request.cancel()
            raise
