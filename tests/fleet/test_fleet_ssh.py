# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations through a real sshd, whose forced command is the agent's bridge. Each key has a name."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aioxen
import pytest
from aioxen import fleet
from fleetly import connect, free_port, guest, names, wait_until, worlds

POLICY = """
[[allow]]
callers = ["anna"]
operations = ["@admin"]
[[allow]]
callers = ["vera"]
operations = ["@viewer"]
"""


def key(path: Path) -> str:
    """Makes a key, and returns its public part."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Runs sshd. The agent's socket is tmp_path/h1.sock."""
    port = free_port()
    bridge = f"{sys.executable} -m aioxen.fleet.service --stdio --socket {tmp_path}/h1.sock"
    lines = []
    for name in ("anna", "vera"):
        path = os.environ["PYTHONPATH"]
        lines.append(f'command="PYTHONPATH={path} {bridge} --as {name}",restrict {key(tmp_path / name)}')
    (tmp_path / "authorized_keys").write_text("".join(lines))
    known = key(tmp_path / "host")
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{port} {known}")
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {tmp_path}/authorized_keys\nPasswordAuthentication no\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with (tmp_path / "sshd.log").open("wb") as log:
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", f"{tmp_path}/sshd_config"], stderr=log)
        try:
            wait_until(lambda: _answers(port), "sshd")
            yield port
        finally:
            server.terminate()
            server.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def use_key(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> None:
    """Makes ssh use the key with this name."""
    (folder / "bin").mkdir(exist_ok=True)
    options = f"-F none -i {folder}/{name} -o IdentitiesOnly=yes -o UserKnownHostsFile={folder}/known_hosts"
    (folder / "bin/ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh {options} "$@"\n')
    (folder / "bin/ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")


def children() -> list[int]:
    """Returns the ids of the processes that this thread has started and that are ssh."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in found if Path(f"/proc/{pid}/comm").read_text() == "ssh\n"]


async def test_a_key_has_a_name_and_its_rights(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}"
    with worlds(tmp_path, ["h1"], f"unix://{tmp_path}/h1.sock") as made:
        # The agent has read the first policy when it has made its socket.
        wait_until((tmp_path / "h1.sock").exists, "the agent")
        made["h1"].kill_agent()
        made["h1"].policy.write_text(POLICY)
        (tmp_path / "h1.sock").unlink()
        made["h1"].start_agent()
        wait_until((tmp_path / "h1.sock").exists, "the agent")
        use_key(monkeypatch, tmp_path, "anna")
        async with connect(url) as f:
            await f.wait_for("h1")
            dom = await f["h1"].domain_create(guest("l"))
            await dom.unpause()
            waiting = dom.wait_shutdown()
            await waiting.accepted()
            for pid in children():  # The connection is lost, and made anew.
                os.kill(pid, signal.SIGKILL)
            assert await dom.shutdown() is aioxen.ShutdownReason.POWEROFF
            assert await waiting is aioxen.ShutdownReason.POWEROFF
        use_key(monkeypatch, tmp_path, "vera")
        async with connect(url) as f:
            await f.wait_for("h1")
            assert await names(f["h1"]) == ["guest"]
            with pytest.raises(fleet.NotAllowedError):
                await f["h1"].domain_destroy(dom.domid)
        callers = {line["call"]: line["caller"] for line in made["h1"].audited()}
        assert callers["domain_create"] == "anna"
        assert callers["domain_destroy"] == "vera"
        # Another command than the forced one cannot be run.
        words = [f"{tmp_path}/bin/ssh", "-T", "-p", str(port), "127.0.0.1", "echo", "hello"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdin and other.stdout
            assert b'"host":"h1"' in other.stdout.read(50)
            other.kill()
