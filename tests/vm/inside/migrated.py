# SPDX-License-Identifier: LGPL-2.1-or-later
"""migrated.py KIND SENDER RECEIVER [tcp|tls|ssh]: a Linux guest moves to another machine while it counts.

`aioxen-vm-pair` runs this program in both machines. KIND is pv or pvh. SENDER, on machine 1, and RECEIVER, on
machine 2, are `ours` (this library) or `xl`. A PVH guest moves while it runs. A PV guest is suspended before
its memory is sent, because Debian's Xen cannot note which pages a PV guest changes.

The guest counts aloud on its console. It has a mounted file system on the disk that both machines share, and
an interface in a bridge that both machines share. On the two consoles together, no number is missing or
printed twice. The disk has the data that the guest has written on both machines. Both machines reach the
guest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path

import aioxen
from linux import LIMIT, Console, left, linux, run, text
from moving import relay, xl_receives, xl_sends
from pair import HOSTS, NUMBER, accepted, connected, join
from secure import make_key, serve
from toolstacks import tool

KIND, SENDER, RECEIVER, TRANSPORT = (*sys.argv[1:], "tcp")[:4]
PORT, REPORT_PORT = 7000, 7001
GUEST = "10.0.0.9"
LIVE = KIND != "pv"
COUNT = 'n=0; while :; do n=$((n+1)); echo "<$n>"; usleep 50000; done'


def config() -> str:
    disks, vifs = 'disk = ["phy:/dev/vda,xvda,w"]', 'vif = ["bridge=xenbr0"]'
    return text("g", KIND, f"address=eth0={GUEST}/24", disks, vifs, memory=96)


async def reached() -> None:
    """Waits until the guest answers a ping. A guest that has moved needs some time to find its devices."""
    deadline = time.monotonic() + LIMIT
    while not await asyncio.to_thread(answers):
        assert time.monotonic() < deadline, run("ip -s link; bridge fdb; ip neigh", False)


def answers() -> bool:
    return " 0% packet loss" in run(f"ping -c 1 -W 2 {GUEST}", check=False)


async def send(dom: aioxen.Domain) -> None:
    # With -e, xl leaves no process behind that would destroy the guest at its end.
    command = ("xl" if RECEIVER == "xl" else "aioxen") + " migrate-receive -e"
    if SENDER == "xl":
        await xl_sends(f"ssh {HOSTS[2]} {command}" if TRANSPORT == "ssh" else relay(PORT))
    elif TRANSPORT == "ssh":
        await dom.migrate(f"ssh://root@{HOSTS[2]}", live=LIVE, receiver=command)
    elif TRANSPORT == "tls":
        with await connected(PORT) as connection:
            reader, writer = await asyncio.open_connection(
                sock=connection, ssl=settings(ssl.PROTOCOL_TLS_CLIENT), server_hostname=HOSTS[2]
            )
            await dom.migrate((reader, writer), live=LIVE)
            writer.close()
    else:
        with await connected(PORT) as connection:
            await dom.migrate(connection, live=LIVE)


async def receive(xen: aioxen.Context) -> None:
    """Receives the guest, or waits for the guest that the command of ssh receives."""
    if TRANSPORT == "ssh":
        while True:
            with contextlib.suppress(aioxen.NotFoundError):
                await xen.domain_find("g")
                return
            await asyncio.sleep(1)
    with await accepted(PORT) as connection:
        if RECEIVER == "xl":
            await xl_receives(connection)
        elif TRANSPORT == "tls":
            await receive_by_tls(xen, connection)
        else:
            await xen.receive(connection)


async def receive_by_tls(xen: aioxen.Context, connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    streams: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = loop.create_future()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        streams.set_result((reader, writer))

    await loop.connect_accepted_socket(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), begin),
        connection,
        ssl=settings(ssl.PROTOCOL_TLS_SERVER),
    )
    reader, writer = await streams
    await xen.receive((reader, writer))
    writer.close()


def settings(side: int) -> ssl.SSLContext:
    """Returns the settings of one end of a TLS connection. Each end shows the certificate in
    AIOXEN_CERTIFICATE, and trusts only this certificate."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(os.environ["AIOXEN_CERTIFICATE"])
        file.flush()
        context = ssl.SSLContext(side)
        context.check_hostname, context.verify_mode = False, ssl.CERT_REQUIRED
        context.load_cert_chain(file.name)
        context.load_verify_locations(file.name)
    return context


async def source() -> None:
    run("mkfs.ext4 -q /dev/vda")
    before = left()
    loop = asyncio.get_running_loop()
    async with aioxen.Context() as xen, linux(tool("ours", xen), config()) as (_, console, _):
        await console.command("mount /dev/xvda /mnt && echo before >/mnt/word && sync")
        await reached()
        await console.command(f"({COUNT}) & counter=$!")
        await console.expect("<9>")
        reading = asyncio.create_task(console.read())
        with contextlib.closing(await connected(REPORT_PORT)) as report:
            if TRANSPORT == "ssh":
                await loop.sock_sendall(report, make_key())
                await loop.sock_recv(report, 16)
            begin = time.monotonic()
            await send(await xen.domain_find("g"))
            took = time.monotonic() - begin
            print(f"{KIND} {SENDER} to {RECEIVER} by {TRANSPORT}: {took:.1f} s", flush=True)
            assert [info.domid for info in await xen.domain_list()] == [0]
            reading.cancel()
            await reached()
            await loop.sock_sendall(report, console.log.encode())
            report.shutdown(socket.SHUT_WR)
            assert await loop.sock_recv(report, 16) == b"done"
    assert left() == before, f"{before}\nnow:\n{left()}"


async def target() -> None:
    before = left()
    loop = asyncio.get_running_loop()
    async with aioxen.Context() as xen:
        with await accepted(REPORT_PORT) as report:
            if TRANSPORT == "ssh":
                await serve(await loop.sock_recv(report, 4096))
                await loop.sock_sendall(report, b"serving")
            await receive(xen)
            console = Console("g")
            reading = asyncio.create_task(console.read())
            said = b""
            while more := await loop.sock_recv(report, 65536):
                said += more
            await reached()
            reading.cancel()
            await console.command("grep before /mnt/word && echo after >/mnt/word && usleep 500000")
            await console.command("kill $counter; umount /mnt")
            numbers = [int(n) for n in re.findall(r"<(\d+)>", said.decode() + console.log)]
            here = len(re.findall(r"<(\d+)>", console.log))
            print(f"{len(numbers) - here} numbers on machine 1, {here} on machine 2", flush=True)
            assert here > 5
            assert numbers == list(range(1, len(numbers) + 1)), (said, console.log)
            console.close()
            await tool(RECEIVER, xen).shutdown("g")
            await tool(RECEIVER, xen).destroy("g")
            run("mkdir -p /tmp/disk && mount /dev/vda /tmp/disk")
            assert Path("/tmp/disk/word").read_text() == "after\n"
            run("umount /tmp/disk")
            await loop.sock_sendall(report, b"done")
            await loop.sock_recv(report, 1)  # Waits until machine 1 has read "done".
    assert left() == before, f"{before}\nnow:\n{left()}"


join()
asyncio.run(source() if NUMBER == 1 else target())
