# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helpers of the command line's tests."""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aioxen.cli.app import app
from click.testing import CliRunner
from limits import scaled

COMMAND = (sys.executable, "-m", "aioxen")


class Ran(NamedTuple):
    """The exit status and the output of a command."""

    code: int
    out: str
    err: str

    def records(self) -> list[dict[str, Any]]:
        """Returns the objects that a command with --json has printed."""
        return [json.loads(line) for line in self.out.splitlines()]


def aioxen_(*arguments: object, code: int | None = 0, env: dict[str, str] | None = None) -> Ran:
    """Runs the command line in this process, without a terminal. Asserts that the exit status is `code`,
    unless `code` is None."""
    words = list(map(str, arguments))
    separate = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    done = CliRunner(**separate).invoke(app, words, env=env, prog_name="aioxen")  # type: ignore[arg-type]
    assert code in (None, done.exit_code), (words, done.exit_code, done.output, done.stderr)
    return Ran(done.exit_code, done.stdout, done.stderr)


WriteFile = Callable[..., Path]


@pytest.fixture
def cfg(kernel: Path, tmp_path: Path) -> WriteFile:
    """Writes xl's file of a guest: the guest of cfg("g", "l") has the name g and obeys requests."""

    def write(name: str, command: str = "l", **more: object) -> Path:
        settings = {
            "name": name,
            "type": "pv",
            "kernel": str(kernel),
            "memory": 24,
            "cmdline": command,
            **more,
        }
        path = tmp_path / f"{name}.cfg"
        path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
        return path

    return write


class OnTerminal:
    """A process of the command line that runs on its own terminal."""

    def __init__(self, *arguments: object, lines: int = 40, **environment: str) -> None:
        self.seen = ""
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 110, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Types text. "\\x03" is Ctrl-C."""
        os.write(self._master, text.encode())

    def expect(self, text: str) -> None:
        """Reads the command's output until it contains a text."""
        deadline = time.monotonic() + scaled(30)
        while text not in self.seen:
            read = self._read(deadline)
            assert read, self.seen
            self.seen += read

    def end(self) -> int:
        """Reads until the command has ended. Returns its exit status."""
        deadline = time.monotonic() + scaled(30)
        while text := self._read(deadline):
            self.seen += text
        assert "Traceback" not in self.seen
        return self.process.wait(scaled(30))

    def _read(self, deadline: float) -> str:
        """Waits for output of the command. Returns the output, or "" if the command has closed its
        terminal."""
        assert select.select([self._master], [], [], max(deadline - time.monotonic(), 0))[0], self.seen
        for _ in range(2):  # The first read can fail with EIO although data has just come.
            with suppress(OSError):  # EIO: no other process has the terminal open.
                return os.read(self._master, 65536).decode(errors="replace")
        return ""


def _take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
