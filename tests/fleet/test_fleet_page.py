# SPDX-License-Identifier: LGPL-2.1-or-later
"""The user of the web page can see the hosts, and has no other rights."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import aioxen
import pytest
from aioxen.fleet import state
from aioxen.fleet.agent import Agent
from aioxen.fleet.roster import Roster
from fleetly import Broker, connect, free_port, guest, worlds


class WebSocket:
    """A connection to the broker as a browser makes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.waiting = b""

    @classmethod
    async def open(cls, port: int, authority: Path) -> WebSocket:
        context = ssl.create_default_context(cafile=str(authority))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        writer.write(head.encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    def send(self, text: str) -> None:
        mask = os.urandom(4)
        body = bytes(octet ^ mask[i % 4] for i, octet in enumerate(text.encode()))
        self.writer.write(struct.pack(">BBH", 0x82, 0xFE, len(body)) + mask + body)

    async def more(self) -> None:
        _, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
        self.waiting += await self.reader.readexactly(length)

    async def until(self, wanted: bytes) -> bytes:
        """Reads up to the end of the line with this text. Returns all that was read."""
        while (at := self.waiting.find(wanted)) < 0 or (end := self.waiting.find(b"\r\n", at)) < 0:
            await self.more()
        found, self.waiting = self.waiting[:end], self.waiting[end + 2 :]
        return found


async def test_the_page_sees_the_hosts_and_can_change_nothing(tmp_path: Path) -> None:
    folder, port = tmp_path / "fleet", free_port()
    roster = Roster(folder)
    roster.add(("h1",), {"anna": "admin"}, ("127.0.0.1",))
    roster.write(str(tmp_path / "store"), page_port=port)
    broker = Broker(tmp_path, folder / "broker/nats.conf")
    broker.start()
    try:
        with worlds(tmp_path, ["h1"], broker.url, "--identity", f"{folder}/hosts/h1"):
            async with connect(broker.url, identity=folder / "clients/anna") as f:
                await f.wait_for("h1")
                await f["h1"].domain_create(guest(name="web"))
                waiting = f["h1"].domain_wait_shutdown(1)
                await waiting.accepted()
                settings: dict[str, Any] = json.loads(
                    (folder / "page/settings.js")
                    .read_text()
                    .removeprefix("window.AIOXEN_FLEET = ")
                    .rstrip(";\n")
                )
                assert settings["url"] == f"wss://127.0.0.1:{port}"
                page = await WebSocket.open(port, folder / "broker/ca.pem")
                login = {"user": settings["user"], "pass": settings["password"], "verbose": False}
                page.send(f"CONNECT {json.dumps(login)}\r\nSUB xen.st.* 1\r\nPUB xen.look 0\r\n\r\n")
                await page.until(b"MSG xen.st.h1 1 ")
                state = json.loads(await page.until(b"}"))
                assert [(d["name"], d["state"]) for d in state["domains"]] == [("web", "paused")]
                assert [(c["call"], c["caller"]) for c in state["calls"]] == [
                    ("domain_wait_shutdown", "anna")
                ]
                page.send("SUB xen.ev.> 4\r\nPING\r\n")
                await page.until(b"PONG")
                await f["h1"].domain_destroy(1)
                await page.until(b"MSG xen.ev.h1.domain_dying 4 ")
                event = json.loads(await page.until(b"}"))
                assert (event["kind"], event["event"]["domid"]) == ("domain_dying", 1)
                with pytest.raises(aioxen.DomainDestroyedError):
                    await waiting
                for refused in (
                    "PUB xen.h1.domain_list 2\r\n{}\r\n",
                    "SUB xen.au.> 2\r\n",
                    "SUB xen.h1.* 3\r\n",
                ):
                    page.send(refused)
                    await page.until(b"-ERR 'Permissions Violation for")
                page.writer.close()
                page = await WebSocket.open(port, folder / "broker/ca.pem")
                page.send(f"CONNECT {json.dumps(login | {'pass': 'wrong'})}\r\nPING\r\n")
                assert b"PONG" not in await page.until(b"-ERR 'Authorization Violation'")
                page.writer.close()
    finally:
        broker.kill()
    # The user of the page stays when names are added. A fleet without a page has no such user.
    again = Roster(folder)
    again.write(str(tmp_path / "store"))
    assert settings["password"] in (folder / "broker/nats.conf").read_text()
    again.write(str(tmp_path / "store"), page_port=0)
    text = (folder / "broker/nats.conf").read_text()
    assert "websocket" not in text and "WEBSOCKET" not in text


async def test_the_name_of_a_domain_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["old", "new"])

    about = {"domid": 1, "uuid": UUID(int=1), "current_memkb": 0, "cpu_time": 0}
    states = dict.fromkeys(("running", "blocked", "paused", "shutdown", "dying"), False)

    async def domain_list() -> list[Any]:
        return [SimpleNamespace(**about, **states)]

    async def domain_get_name(domid: int) -> str:
        return next(names)

    xen = SimpleNamespace(domain_list=domain_list, domain_get_name=domain_get_name)
    teller = state.Teller(cast(Agent, SimpleNamespace(xen=xen, calls={})), lambda _: None)
    found = []
    for now in (1000.0, 1040.0, 1080.0):  # At the second message, the stored name is not too old yet.
        monkeypatch.setattr(state, "time", SimpleNamespace(monotonic=lambda now=now: now, time=lambda: 0.0))
        found += [domain["name"] for domain in json.loads(await teller.message())["domains"]]
    assert found == ["old", "old", "new"]
