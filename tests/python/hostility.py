# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hostile guest, and what operations on it must keep to.

The guest writes strange values into all nodes that it may write. Each operation ends in time with a result
that the IDL declares, and its message can be printed. The memory of this process does not grow, and the logs
stay short.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aioxen
from leftovers import check_nothing_left, snapshot
from limits import scaled
from worldly import ROOT

WITHOUT_END = 1_000_000
"""A number of acts that no test waits for."""

LONGEST = scaled(25)
"""The longest time, in seconds, that any operation may take. The undo of adding a device has the
longest limit."""
# The greatest length of a message, in characters. A message may quote a value from xenstore, with four
# characters for each octet.
LONGEST_MESSAGE = 10000
UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""The categories of Unicode whose characters may not appear in a message: control characters, formats such
as a direction, surrogates, separators."""

MOST_GROWTH = 48 << 20
MOST_LOGGED = 4 << 20

_idl = json.loads((ROOT / "build/gen/idl.json").read_text())
DECLARED = {
    operation.get("python", ""): {_idl["errors"][f"ERROR_{name}"]["value"] for name in operation["errors"]}
    | {_idl["errors"][f"ERROR_{name}"]["value"] for name in _idl["common_errors"]}
    for operation in _idl["operations"].values()
}


def memory() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def logged() -> int:
    return sum(path.stat().st_size for path in Path("/var/log/xen").rglob("*") if path.is_file())


@contextlib.contextmanager
def hostile_guest(domid: int, *arguments: object) -> Iterator[Callable[[], bool]]:
    """Makes the guest do hostile acts until the end of the block. The arguments are those of the command
    `aioxen-sim-ctl hostile` after the domid. Yields a function that returns whether the guest still acts."""
    words = "aioxen-sim-ctl", "hostile", str(domid), *map(str, arguments)
    with subprocess.Popen(words) as process:
        try:
            yield lambda: process.poll() is None
        finally:
            process.terminate()
    assert process.returncode in (0, -signal.SIGTERM), "the hostile guest has failed"


async def error_of(operation: Awaitable[object]) -> aioxen.Error | None:
    async with asyncio.timeout(LONGEST):
        try:
            await operation
        except aioxen.Error as error:
            return error
    return None


async def outcome(operation: Awaitable[object]) -> aioxen.Error | None:
    """Awaits an operation. Returns None or the operation's error. The IDL must declare the error, and the
    message must be printable."""
    error = await error_of(operation)
    if error:
        assert error.rc in DECLARED[error.operation or ""], repr(error)
        assert not {unicodedata.category(c) for c in str(error)} & UNPRINTABLE, repr(error)
        assert len(str(error)) < LONGEST_MESSAGE
    return error


@contextlib.contextmanager
def bounded(what: str) -> Iterator[None]:
    """Checks at the end of the block that nothing is left, that this process has not grown, and that the
    logs are short."""
    before, used, written = snapshot(), memory(), logged()
    yield
    check_nothing_left(before, what)
    assert memory() - used < MOST_GROWTH
    assert logged() - written < MOST_LOGGED
