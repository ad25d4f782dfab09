# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands store read, write, ls, list, rm, chmod, watch and wait. Their output is the output of
xenstore's own programs (xenstore-read, xenstore-ls and so on)."""

from __future__ import annotations

import asyncio

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.core import Session, command, group
from aioxen.cli.output import Record
from aioxen.transaction import Transaction
from aioxen.types import StoreAccess, StorePermission, StorePermissions

READ, WRITE = StoreAccess.READ, StoreAccess.WRITE
LETTERS = {"n": StoreAccess(0), "r": READ, "w": WRITE, "b": READ | WRITE}

store: click.Group = group("store", "Reads, changes and watches the nodes of xenstore.")


def escaped(value: str) -> str:
    """Returns a value as xenstore-ls prints it. Octets that are not printable ASCII are escaped as in C."""
    known = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}
    octets = value.encode("utf-8", "surrogateescape").decode("latin-1")
    return "".join(known.get(c) or (c if " " <= c <= "~" else f"\\x{ord(c):02x}") for c in octets)


@command("read", store)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("-p", "prefix", is_flag=True, help="Print the paths, too.")
async def read(session: Session, paths: tuple[str, ...], prefix: bool) -> None:
    """Prints the values of nodes."""
    values = await parallel.gather(session.xen.store.read(path, timeout=session.timeout) for path in paths)
    for path, value in zip(paths, values, strict=True):
        text = f"{path}: {escaped(value)}" if prefix else escaped(value)
        session.out.answer(text, {"path": path, "value": value})


@command("write", store)
@click.argument("words", metavar="PATH VALUE [PATH VALUE]...", nargs=-1, required=True)
async def write(session: Session, words: tuple[str, ...]) -> None:
    """Writes nodes: all of them, or none if one cannot be written."""
    if len(words) % 2:
        raise click.UsageError("a path without a value")

    async def change(transaction: Transaction) -> None:
        for path, value in zip(words[::2], words[1::2], strict=True):
            transaction.write(path, value)

    await session.xen.store.transact(change, timeout=session.timeout)


@command("ls", store)
@click.argument("path", default="/")
@click.option("-f", "full", is_flag=True, help="Print full paths.")
@click.option("-p", "permissions", is_flag=True, help="Print the permissions.")
async def ls(session: Session, path: str, full: bool, permissions: bool) -> None:
    """Prints the nodes below a node, and their values."""
    root = path.rstrip("/")
    async for found, value in session.xen.store.walk(path):
        below = found.removeprefix(root).strip("/")
        if not below:
            continue
        record: Record = {"path": found, "value": value}
        depth = below.count("/")
        text = found if full else " " * depth + below.rpartition("/")[2]
        text += f' = "{escaped(value)}"'
        if permissions:
            allowed = _letters(await session.xen.store.permissions(found, timeout=session.timeout))
            text, record["permissions"] = f"{text}   ({','.join(allowed)})", allowed
        session.out.answer(text, record)


@command("list", store)
@click.argument("path", default="/")
async def list_children(session: Session, path: str) -> None:
    """Prints the names of a node's children."""
    for name in await session.xen.store.list(path, timeout=session.timeout):
        session.out.answer(name, {"path": f"{path.rstrip('/')}/{name}"})


@command("rm", store)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
async def rm(session: Session, paths: tuple[str, ...]) -> None:
    """Removes nodes, and all nodes below them."""
    await parallel.gather(session.xen.store.remove(path, timeout=session.timeout) for path in paths)


@command("chmod", store)
@click.argument("path")
@click.argument("modes", metavar="MODE...", nargs=-1, required=True)
async def chmod(session: Session, path: str, modes: tuple[str, ...]) -> None:
    """Sets the permissions of a node. For example, `n0 r3` means: domain 0 owns the node, domain 3 may read
    it, and other domains have no access.

    The letters are n (no access), r (read), w (write) and b (both). The first MODE has the owner, and the
    access of the domains that no MODE names.
    """
    wrong = [mode for mode in modes if mode[:1] not in LETTERS or not mode[1:].isdecimal()]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is no mode, such as r3", param_hint="MODE")
    owner, *others = [StorePermission(int(mode[1:]), LETTERS[mode[0]]) for mode in modes]
    permissions = StorePermissions(owner.domid, owner.access, others)
    await session.xen.store.set_permissions(path, permissions, timeout=session.timeout)


@command("watch", store)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("-n", "count", type=click.IntRange(1), metavar="N", help="End after so many changes.")
async def watch(session: Session, paths: tuple[str, ...], count: int | None) -> None:
    """Watches the named nodes and the nodes below them. Prints the path of each node that changes.

    The first line of each watch is the named path. It shows that xenstored has the watch.
    """
    changes: asyncio.Queue[object] = asyncio.Queue()

    async def pump(path: str) -> None:
        async for change in session.xen.store.watch(path):
            changes.put_nowait(change)

    pumps = [asyncio.create_task(pump(path)) for path in paths]
    try:
        while count is None or count > 0:
            getter = asyncio.create_task(changes.get())
            await asyncio.wait((getter, *pumps), return_when=asyncio.FIRST_COMPLETED)
            for failed in (p for p in pumps if p.done()):
                failed.result()
            change = await getter
            count = count and count - 1
            if isinstance(change, aioxen.EventsLost):
                session.out.answer("changes were lost", {"lost": change.count})
            elif isinstance(change, aioxen.StoreChanged):
                session.out.answer(change.path, {"path": change.path})
    finally:
        for task in pumps:
            task.cancel()


@command("wait", store)
@click.argument("path")
@click.argument("value", required=False)
async def wait(session: Session, path: str, value: str | None) -> None:
    """Waits until a node exists, or has a value. Prints the value."""

    def reached(now: str | None) -> bool:
        return now is not None if value is None else now == value

    found = await session.xen.store.wait(path, reached, timeout=session.timeout)
    session.out.answer(escaped(found or ""), {"path": path, "value": found})


def _letters(permissions: StorePermissions) -> list[str]:
    """Returns permissions in the letters of xenstore-ls -p."""
    letter = {access: name for name, access in LETTERS.items()}
    first = f"{letter[permissions.others]}{permissions.owner}"
    return [first, *(f"{letter[p.access]}{p.domid}" for p in permissions.domains)]
