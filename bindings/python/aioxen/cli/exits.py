# SPDX-License-Identifier: LGPL-2.1-or-later
"""The exit statuses of the command line: one number for each kind of failure."""

from __future__ import annotations

import enum
import errno
from collections.abc import Iterable
from typing import NamedTuple

import click

import aioxen
from aioxen import errors


class Exit(enum.IntEnum):
    """The exit statuses. A signal that ends a command adds its number to 128, as in the shell."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    NOT_FOUND = 4
    EXISTS = 5
    PERMISSION = 6
    NO_XEN = 7
    TIMED_OUT = 8
    GUEST = 9
    RESOURCES = 10
    DEVICE = 11
    GONE = 12
    NOT_SUPPORTED = 13
    CRASHED = 14
    PARTIAL = 15


class Kind(NamedTuple):
    """One exit status: what it means, and the errors that lead to it."""

    code: Exit
    meaning: str
    errors: tuple[type[BaseException], ...] = ()


KINDS = (
    Kind(Exit.OK, "The command has succeeded."),
    Kind(Exit.FAILED, "A failure that has no status of its own."),
    Kind(Exit.USAGE, "The command line is wrong. Nothing was done.", (click.UsageError,)),
    Kind(
        Exit.CONFIGURATION,
        "A file, a value in a file, or a kernel cannot be used.",
        (
            errors.InvalidError,
            errors.KernelError,
            errors.JsonConfigEmptyError,
            errors.VnumaConfigInvalidError,
            FileNotFoundError,
            IsADirectoryError,
        ),
    ),
    Kind(
        Exit.NOT_FOUND,
        "There is no such domain, device or node.",
        (errors.DomainNotFoundError, errors.NotFoundError),
    ),
    Kind(
        Exit.EXISTS,
        "A domain with this name or UUID, or this device, exists already.",
        (errors.DomainExistsError, errors.DeviceExistsError),
    ),
    Kind(Exit.PERMISSION, "The permission is missing. Most commands need root.", (PermissionError,)),
    Kind(
        Exit.NO_XEN,
        "No hypervisor or no xenstored answers.",
        (errors.NoHypervisorError, errors.NoXenstoreError, errors.XenstoreError),
    ),
    Kind(
        Exit.GUEST,
        "The guest does not answer, cannot answer, or refuses.",
        (
            errors.GuestTimedOutError,
            errors.GuestCannotAnswerError,
            errors.DeviceRefusedError,
            errors.NoParavirtError,
        ),
    ),
    Kind(Exit.TIMED_OUT, "The limit of --timeout was reached.", (TimeoutError,)),
    Kind(
        Exit.RESOURCES,
        "The host has too little memory, or a resource is in use.",
        (errors.NoMemoryForGuestError, MemoryError, errors.BusyError, errors.LockFailedError),
    ),
    Kind(
        Exit.DEVICE,
        "A device, its backend, its script, its device model or the console has failed.",
        (
            errors.DeviceError,
            errors.NoBackendError,
            errors.ScriptError,
            errors.DeviceModelError,
            errors.NoConsoleError,
        ),
    ),
    Kind(
        Exit.GONE,
        "The domain was destroyed while the command worked on it.",
        (errors.DomainDestroyedError,),
    ),
    Kind(Exit.NOT_SUPPORTED, "Not implemented for this domain or on this host.", (NotImplementedError,)),
    Kind(Exit.CRASHED, "A guest has crashed (commands run, create -F and wait)."),
    Kind(Exit.PARTIAL, "Some of several domains have failed, others not; or they have failed differently."),
)


def code_of(error: BaseException) -> int:
    """Returns the exit status for an error."""
    for kind in KINDS:
        if isinstance(error, kind.errors):
            return kind.code
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return Exit.PERMISSION
    return Exit.FAILED


def code_of_all(codes: Iterable[int]) -> int:
    """Returns the exit status of a command on several domains, from the status of each domain."""
    found = set(codes)
    return found.pop() if len(found) == 1 else Exit.PARTIAL if found else Exit.OK


def describe(error: BaseException) -> dict[str, object]:
    """Returns the JSON form of an error."""
    found: dict[str, object] = {"error": type(error).__name__, "message": text_of(error)}
    if isinstance(error, aioxen.Error):
        found |= {"rc": error.rc, "operation": error.operation}
    return found | {"exit": int(code_of(error))}


def text_of(error: BaseException) -> str:
    """Returns the text of an error for people."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, aioxen.Error):
        return error.message
    return str(error) or type(error).__name__
