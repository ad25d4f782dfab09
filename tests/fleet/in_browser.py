# SPDX-License-Identifier: LGPL-2.1-or-later
"""in_browser.py [HOSTS]: opens the fleet's page in a headless Chromium, and checks what it shows of 50 hosts.

The hosts are agents in one process, in one simulated machine, so that each of them has the same domain. The
browser is controlled by the DevTools protocol over two pipes, in messages of JSON that end with a NUL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from aioxen import fleet
from fleetly import ROOT, SIM, Broker, free_port, guest

MOST_ROWS = 500  # The greatest number of rows that the page shows of a table.
PAGE = ROOT / "bindings/python/aioxen/fleet"
BROKER = """
websocket {{ host: 127.0.0.1, port: {}, no_tls: true }}
jetstream {{ store_dir: "{}" }}
"""

WAIT = """
new Promise((done, failed) => {{
  const began = Date.now();
  const look = setInterval(() => {{
    const found = {expression};
    if (found || Date.now() - began > 60000) {{
      clearInterval(look);
      found ? done(found) : failed(new Error("never true"));
    }}
  }}, 50);
}})
"""
"""JavaScript that waits until an expression is true. Its result is the value of the expression."""


class Tab:
    """A page in the browser."""

    def __init__(self, to_browser: BinaryIO, from_browser: BinaryIO) -> None:
        self._to = to_browser
        self._from = from_browser
        self._number = 0
        self._session: dict[str, str] = {}
        self.errors: list[Any] = []
        """The exceptions that the page's code has not caught."""

    def _read(self) -> Any:
        octets = bytearray()
        while (octet := self._from.read(1)) != b"\0":
            if not octet:
                raise EOFError("the browser has ended")
            octets += octet
        return json.loads(octets)

    def call(self, method: str, **parameters: Any) -> Any:
        """Calls a method of the protocol, and returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._read()).get("id") != self._number:
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, url: str) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Runtime.enable")
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && document.getElementById('hosts')?.tagName")

    def wait(self, expression: str) -> Any:
        """Waits until an expression of JavaScript is true, and returns its value."""
        found = self.call(
            "Runtime.evaluate",
            expression=WAIT.format(expression=expression),
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression}: {found['exceptionDetails']['exception']['description']}")
        return found["result"].get("value")


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """Runs a headless Chromium until the end of the block."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: apt-get install chromium"
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    words = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
    words.append(f"--user-data-dir={folder / 'profile'}")
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{from_write}', "bash", *words],
        pass_fds=(to_read, from_write), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_read)
    os.close(from_write)
    try:
        with os.fdopen(to_write, "wb") as to_browser, os.fdopen(from_read, "rb") as from_browser:
            yield Tab(to_browser, from_browser)
    finally:
        process.terminate()
        process.wait()


def make_page(folder: Path, port: int) -> str:
    """Copies the page to a folder, and returns the URL of the copy."""
    shutil.copy(PAGE / "page.html", folder / "index.html")
    shutil.copy(PAGE / "page.js", folder)
    settings = {"url": f"ws://127.0.0.1:{port}", "user": "page", "password": "page"}
    (folder / "settings.js").write_text(f"window.AIOXEN_FLEET = {json.dumps(settings)};\n")
    return (folder / "index.html").as_uri()


async def create(url: str) -> None:
    async with fleet.connect(url, patience=60) as f:
        await f.wait_for("host0", timeout=60)
        await f["host0"].domain_create(guest("b", "web"), timeout=60)


def check(tab: Tab, hosts: int, agents: subprocess.Popen[bytes], url: str) -> None:
    tiles = "document.querySelectorAll('#hosts .tile.{}').length === " + str(hosts)
    rows = "[...document.querySelectorAll('#domains tr')].map(row => row.children[1].textContent)"
    tab.wait(tiles.format("up"))
    asyncio.run(create(url))
    tab.wait(f"{rows}.filter(name => name === 'web').length === {min(hosts, MOST_ROWS)}")
    tab.wait("document.querySelectorAll('#events tr').length > 0")
    print(tab.wait("document.getElementById('sum').textContent"))
    tab.wait(
        "(() => { const field = document.getElementById('filter'); field.value = 'host7/web';"
        " field.dispatchEvent(new Event('input')); return true; })()"
    )
    tab.wait(f"{rows}.length === 1")
    agents.kill()
    agents.wait()
    tab.wait(tiles.format("silent"))
    tab.wait(tiles.format("lost"))
    assert tab.errors == []


def main(hosts: int) -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, port = Path(name), free_port()
        (folder / "nats.conf").write_text(BROKER.format(port, folder / "store"))
        broker = Broker(folder, folder / "nats.conf")
        broker.url = broker.url.replace("tls:", "nats:")
        broker.start()
        stack.callback(broker.kill)
        program = [
            str(SIM),
            "--",
            sys.executable,
            str(ROOT / "bench/python/crowd.py"),
            broker.url,
            str(hosts),
        ]
        agents = subprocess.Popen(program, stdout=subprocess.PIPE)
        stack.callback(agents.wait)
        stack.callback(agents.kill)
        assert agents.stdout and agents.stdout.readline()
        tab = stack.enter_context(browser(folder))
        tab.open(make_page(folder, port))
        check(tab, hosts, agents, broker.url)
    print(f"the page has shown {hosts} hosts, the domain of each, and the loss of all")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
