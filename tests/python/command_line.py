# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns the helpers of the command line's tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aioxen.cli.app import app
from click.testing import CliRunner

COMMAND = (sys.executable, "-m", "aioxen")


class Ran(NamedTuple):
    """How a command has ended."""

    code: int
    out: str
    err: str

    def records(self) -> list[dict[str, Any]]:
        """Returns the objects that a command with --json has printed."""
        return [json.loads(line) for line in self.out.splitlines()]


def aioxen_(*arguments: object, code: int | None = 0, env: dict[str, str] | None = None) -> Ran:
    """Runs the command line in this process, without a terminal. Asserts its exit status."""
    words = list(map(str, arguments))
    separate = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    done = CliRunner(**separate).invoke(app, words, env=env, prog_name="aioxen")  # type: ignore[arg-type]
    assert code in (None, done.exit_code), (words, done.exit_code, done.output, done.stderr)
    return Ran(done.exit_code, done.stdout, done.stderr)


WriteFile = Callable[..., Path]


@pytest.fixture
def cfg(kernel: Path, tmp_path: Path) -> WriteFile:
    """Writes xl's file of a guest: cfg("g", "l") is one with the name g that obeys requests."""

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
