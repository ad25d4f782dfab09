# SPDX-License-Identifier: LGPL-2.1-or-later
"""The socket of the supervisor. A request is a JSON object on a line, and so is its answer:

{"do": "list"}                       {"guests": [...]}
{"do": "show", "guest": "web"}       {"name": "web", "state": "running", "domid": 3, ...}
{"do": "stop", "guest": "web"}       {"done": true}; false: it was not running
{"do": "start", "guest": "web"}      {"done": true}; false: it was already running
{"do": "reports"}                    {"reports": ["12:00:00 web: runs as domain 3", ...]}

A wrong request gets {"error": "..."}. Only the owner of the socket may use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

from supervision.fleet import Fleet

LONGEST = 1 << 16
"""The greatest length of a request, in octets."""


class WrongRequestError(Exception):
    """A request that cannot be answered. Its text is for the client."""


def guest_of(fleet: Fleet, request: dict[str, Any]) -> str:
    """Returns the name of the guest that a request names."""
    name = request.get("guest")
    if not isinstance(name, str) or name not in fleet.guests:
        raise WrongRequestError(f"guest: there is no guest {name!r}")
    return name


async def answer(fleet: Fleet, request: object) -> dict[str, Any]:
    """Carries out a request, and returns its answer. Raises WrongRequestError."""
    if not isinstance(request, dict):
        raise WrongRequestError("a request is an object")
    match request.get("do"):
        case "list":
            return {"guests": [fleet.describe(name) for name in fleet.guests]}
        case "show":
            return fleet.describe(guest_of(fleet, request))
        case "stop":
            return {"done": await fleet.stop(guest_of(fleet, request))}
        case "start":
            return {"done": fleet.start(guest_of(fleet, request))}
        case "reports":
            return {"reports": list(fleet.lines)}
        case other:
            raise WrongRequestError(f"do: list, show, stop, start or reports is expected, not {other!r}")


async def serve_client(fleet: Fleet, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the requests of one client, one after the other. Ends when the client closes the connection,
    and after a line that is too long."""
    with contextlib.suppress(ConnectionError):
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # The line is longer than LONGEST.
                result: dict[str, Any] = {"error": f"a request has at most {LONGEST} octets"}
                line = b""
            else:
                if not line:
                    break
                try:
                    result = await answer(fleet, json.loads(line))
                except (ValueError, RecursionError) as error:
                    result = {"error": f"no JSON: {error}"}
                except WrongRequestError as error:
                    result = {"error": str(error)}
            writer.write(json.dumps(result).encode() + b"\n")
            await writer.drain()
            if not line:
                break
    writer.close()


@contextlib.asynccontextmanager
async def serving(fleet: Fleet, path: str) -> AsyncIterator[None]:
    """Serves the socket during the block. The end of the block ends all connections."""
    clients: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        clients.add(task)
        try:
            await serve_client(fleet, reader, writer)
        except asyncio.CancelledError:
            writer.close()  # The supervisor is ending, so the connections are closed.
        finally:
            clients.discard(task)

    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # A supervisor that was killed has left its socket.
    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(connected, path, limit=LONGEST)
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        for task in clients:
            task.cancel()
        if clients:
            await asyncio.wait(clients)
        os.unlink(path)
