# SPDX-License-Identifier: LGPL-2.1-or-later
"""The completions work in bash, zsh and fish, as they are installed."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import WriteFile, aioxen_
from command_line import cfg as cfg
from limits import scaled

pytestmark = pytest.mark.usefixtures("hypervisor")

Press = Callable[[str], str]

INTERACTIVE = {
    # The command that starts each shell, and the shell's command that loads the completion from the directory
    # FOLDER.
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source FOLDER/aioxen"),
    "zsh": (["zsh", "-f", "-i"], "fpath=(FOLDER $fpath); autoload -Uz compinit; compinit -u -D"),
}
FILES = {"bash": "aioxen", "zsh": "_aioxen", "fish": "aioxen.fish"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a directory with the files of all shells. The command aioxen is in PATH."""
    for shell, name in FILES.items():
        (tmp_path / name).write_text(aioxen_("completion", shell).out)
    command = tmp_path / "bin/aioxen"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m aioxen "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(params=INTERACTIVE)
def press(request: pytest.FixtureRequest, folder: Path) -> Iterator[Press]:
    """Types the beginning of a command into a shell, presses Tab, and returns the completed command."""
    command, load = INTERACTIVE[request.param]
    child, terminal = pty.fork()
    if not child:
        os.execvp(command[0], command)

    def output_until(pattern: str) -> re.Match[str]:
        text, end = "", time.monotonic() + scaled(20)
        while not (found := re.search(pattern, text)):
            assert select.select([terminal], [], [], max(end - time.monotonic(), 0))[0], text
            text += os.read(terminal, 4096).decode(errors="replace")
        return found

    def type_words(words: str) -> str:
        # Ctrl-A goes to the beginning of the line, and Ctrl-E to its end. With `echo` put in front, the shell
        # prints the completed command between < and > instead of running it.
        os.write(terminal, f"{words}\t".encode())
        os.write(terminal, b"\x01echo '<' \x05 '>'\n")
        return output_until(r"\n< ([^'>]*?) *>")[1]

    os.write(terminal, f"{load.replace('FOLDER', str(folder))}; echo rea''dy\n".encode())
    output_until("ready")
    yield type_words
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(terminal)


def test_tab_completes_commands_and_domains(press: Press, cfg: WriteFile) -> None:
    aioxen_("create", "-e", cfg("finished"))
    try:
        assert press("aioxen dest") == "aioxen destroy"
        assert press("aioxen destroy fin") == "aioxen destroy finished"
        assert press("aioxen nothing-like-th") == "aioxen nothing-like-th"
    finally:
        aioxen_("destroy", "finished")


def test_fish_completes_commands_and_domains(folder: Path, cfg: WriteFile) -> None:
    def complete(words: str) -> list[str]:
        script = f'source {folder}/aioxen.fish; complete -C "{words}"'
        done = subprocess.run(
            ["fish", "-N", "-c", script], capture_output=True, text=True, timeout=scaled(60)
        )
        assert done.returncode == 0, done.stderr
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    aioxen_("create", "-e", cfg("finished"))
    try:
        assert complete("aioxen dest") == ["destroy"]
        assert complete("aioxen destroy fin") == ["finished"]
        assert complete("aioxen nothing-like-th") == []
    finally:
        aioxen_("destroy", "finished")
