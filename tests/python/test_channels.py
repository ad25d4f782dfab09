# SPDX-License-Identifier: LGPL-2.1-or-later
"""Channels. This library and xl write the same nodes for a channel. The library finds the terminals and
sockets of channels."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import aioxen
import pytest
from worldly import ROOT, Configure, read_node, write_node

Xl = Callable[..., str]

FILE = """
name = "channels"
type = "{type}"
kernel = "{kernel}"
memory = 24
extra = "b"
channel = [
  "connection=pty,name=org.first",
  "connection=pty,name=org.term",
  "connection=socket,name=org.sock,path={socket}",
]
"""


@pytest.fixture(params=["pv", "pvh"])
def text(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return FILE.format(type=request.param, kernel=ROOT / "build/guest/tiny", socket=tmp_path / "socket")


def nodes(domid: int) -> set[str]:
    """Returns the nodes of the consoles 1 and 2, with values and permissions. The names of terminals
    are replaced.
    """
    listed = subprocess.run(["xenstore-ls", "-fp"], capture_output=True, text=True, check=True).stdout
    found = re.sub(rf"(/domain|/libxl|/backend/console)/{domid}\b", r"\1/N", listed)
    found = re.sub(rf'frontend-id = "{domid}"', 'frontend-id = "N"', found)
    found = re.sub(rf"\b([nr]){domid}\b", r"\1N", re.sub(r"/dev/pts/\d+", "/dev/pts/T", found))
    return {line for line in found.splitlines() if re.search(r"/console(/N)?/[12]\b", line)}


async def test_the_nodes_are_those_of_xl(xen: aioxen.Context, xl: Xl, text: str, tmp_path: Path) -> None:
    path = tmp_path / "cfg"
    path.write_text(text)
    await asyncio.to_thread(xl, "create", "-pq", str(path))
    theirs = await asyncio.to_thread(nodes, int(await asyncio.to_thread(xl, "domid", "channels")))
    await (await xen.domain_find("channels")).destroy()
    dom = await xen.domain_create(aioxen.loads(text))
    assert await asyncio.to_thread(nodes, dom.domid) == theirs
    assert len(theirs) > 50
    # xl loses the first channel, because xl gives this channel the number of the primary console.
    assert read_node(f"/local/domain/{dom.domid}/device/console/3/name") == "org.first"
    await dom.destroy()
    assert await asyncio.to_thread(nodes, dom.domid) == set()


async def test_channels_are_listed_and_opened(xen: aioxen.Context, text: str, tmp_path: Path) -> None:
    dom = await xen.domain_create(aioxen.loads(text))
    channels = {channel.name: channel for channel in await dom.channel_list()}
    assert {name: channel.devid for name, channel in channels.items()} == {
        "org.first": 3,
        "org.term": 1,
        "org.sock": 2,
    }
    assert (tmp_path / "socket").is_socket()
    terminals = [await dom.console_tty(number) for number in (0, 1, 3)]
    assert len(set(terminals)) == 3
    os.close(os.open(terminals[1], os.O_RDWR | os.O_NOCTTY))
    with pytest.raises(aioxen.NotFoundError):
        await dom.console_tty(2)  # This console is a socket.
    with pytest.raises(aioxen.NotFoundError):
        await dom.console_tty(4)
    assert [channel.devid for channel in (await dom.configuration()).channels] == [3, 1, 2]
    await dom.destroy()
    assert not (tmp_path / "socket").exists()


async def test_a_terminal_that_no_toolstack_has_made_is_refused(
    xen: aioxen.Context, guest: Configure
) -> None:
    dom = await xen.domain_create(guest("b"))
    write_node(f"/local/domain/{dom.domid}/device/console/1/tty", "/dev/pts/0")
    with pytest.raises(aioxen.NotFoundError):
        await dom.console_tty(1)
    await dom.destroy()


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (aioxen.DeviceChannel(), r"channels\[0\]: name: missing"),
        (aioxen.DeviceChannel(name="a"), r"channels\[0\]: connection: missing"),
    ],
)
async def test_what_is_missing_is_named(
    xen: aioxen.Context, guest: Configure, channel: aioxen.DeviceChannel, words: str
) -> None:
    config = guest("b")
    config.channels = [channel]
    with pytest.raises(aioxen.InvalidError, match=words):
        await xen.domain_create(config)
