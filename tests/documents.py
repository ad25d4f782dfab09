# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions by which tests run the code of documents. They read Markdown and reStructuredText.

A page of the manual (docs/manual) is run as its reader types it. A block with a name (`:caption: NAME`) is a
file. A block of the language `console` has commands after "$ ", and the lines that they print. "..." in such
a line stands for any text, and a line of "..." for any lines.
"""

from __future__ import annotations

import re
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

from limits import scaled

ROOT = Path(__file__).resolve().parent.parent

MARK = "\x1f"
"""Ends the output of a command."""


@dataclass(frozen=True)
class Block:
    """A block of code in a document."""

    language: str
    name: str
    """The name of the file, or ""."""
    text: str


def blocks(path: Path) -> list[Block]:
    """Returns the blocks of a document, in their order."""
    text = path.read_text()
    if path.suffix == ".md":
        return _in_markdown(text)
    form = r"^\.\. code-block:: (\w+)\n((?:   :\w+:.*\n)*)\n((?:   .*\n|\n)+)"
    return [
        Block(
            language,
            "".join(re.findall(r":caption: (\S+)", options)),
            textwrap.dedent(code).strip("\n") + "\n",
        )
        for language, options, code in re.findall(form, text, re.M)
    ]


def sections(path: Path) -> dict[str, list[Block]]:
    """Returns the blocks of a document in Markdown by the heading of the second level above them."""
    parts = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", path.read_text(), re.M | re.S)
    return {heading: _in_markdown(text) for heading, text in parts}


def _in_markdown(text: str) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)
    return [Block(language, "", code) for language, code in found]


def commands(session: str) -> list[tuple[str, str]]:
    """Returns the commands of a console block, each with the lines that it prints."""
    found = re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", session, re.M)
    return [(command.replace("\n> ", "\n").rstrip("\n"), output) for command, output in found]


def matches(output: str, expected: str) -> bool:
    lines = [
        r"(?:.*\n)*?" if line == "..." else ".*?".join(map(re.escape, line.split("..."))) + r"\n"
        for line in expected.splitlines()
    ]
    return re.fullmatch("".join(lines), output) is not None


def run_script(script: str) -> str:
    """Runs a script for bash on the machine and in the directory that tools/try makes. Returns its output."""
    done = _run(script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _run(script: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "tools/try"), "bash", "-e"]
    return subprocess.run(command, input=script, capture_output=True, text=True, timeout=scaled(60))


def run_page(path: Path) -> None:
    """Runs a page of the manual on the machine and in the directory that tools/try makes.

    Raises AssertionError for a command that fails, or that prints something else, and for a file that neither
    a command nor another file names.
    """
    script: list[str] = []
    expected: list[tuple[str, str]] = []
    files: list[str] = []
    for block in blocks(path):
        if block.name:
            files.append(block.name)
            script.append(f"cat >{block.name} <<'{MARK}'\n{block.text}{MARK}")
        else:
            assert block.language == "console", f"{path.name}: a block that is neither a file nor a session"
            for command, output in commands(block.text):
                expected.append((command, output))
                script.append(f"{command}\necho '{MARK}'")
    done = _run("\n".join(script))
    outputs = done.stdout.split(f"{MARK}\n")
    for (command, wanted), output in zip(expected, outputs, strict=False):
        assert matches(output, wanted), f"{path.name}: {command}\n{output}{done.stderr}"
    assert done.returncode == 0, f"{path.name}: {expected[len(outputs) - 1][0]}\n{done.stderr}"
    assert len(outputs) == len(expected) + 1, path.name
    used = [command for command, _ in expected] + [block.text for block in blocks(path) if block.name]
    unused = [name for name in files if not any(name in text for text in used)]
    assert unused == [], f"{path.name}: nothing uses these files"
