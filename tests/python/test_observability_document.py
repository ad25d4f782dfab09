# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs and commands in docs/observability.md work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import sections
from limits import scaled
from test_opentelemetry import sdk as sdk
from worldly import ROOT

DOCUMENT = ROOT / "docs" / "observability.md"
TEXT = DOCUMENT.read_text()
BLOCKS = sections(DOCUMENT)
EXPECTED = {
    "Messages": [r"ERROR domain_shutdown 4711: .*4711.*\n"],
    "Hooks": [r"(?s).*domain_create of domain \d+: success after 0\.\d+ s \(name, make, .*, unmark\)\n.*"],
    "Metrics": ["", r'(?s).*aioxen_host_memory_bytes\{state="free"\} \S+\n.*'],
    "Spans": [""],
    "A picture": [r"(?s).*domains left: 0\n.*wrote lives.html\n"],
}
"""The expected output of the blocks of each section."""


def run(kind: str, block: str, folder: Path, kernel: Path) -> str:
    """Runs a block with paths of the test. Returns what it prints."""
    command = folder / "aioxen"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m aioxen "$@"\n')
    command.chmod(0o755)
    paths = {
        "/boot/guest": str(kernel),
        "/run/aioxen.sock": str(folder / "socket"),
        "/var/lib/prometheus/node-exporter": str(folder),
        "examples/": f"{ROOT}/examples/",
        "build/guest/tiny": str(kernel),
        "aioxen.pvh(": "aioxen.pv(",  # The simulated processor may have no virtualization.
    }
    block = re.sub("|".join(map(re.escape, paths)), lambda match: paths[match[0]], block)
    program = [sys.executable, "-c", block] if kind == "python" else ["sh", "-e", "-c", block]
    environment = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(path for path in sys.path if path),
    }
    done = subprocess.run(
        program, cwd=folder, env=environment, text=True, timeout=scaled(60), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("heading", BLOCKS)
def test_the_blocks_work(
    heading: str, kernel: Path, sim: object, nothing_left: None, sdk: None, tmp_path: Path
) -> None:
    outputs = [run(block.language, block.text, tmp_path, kernel) for block in BLOCKS[heading]]
    assert len(outputs) == len(EXPECTED[heading])
    for output, expected in zip(outputs, EXPECTED[heading], strict=True):
        assert re.fullmatch(expected, output), output
    files = {path.name for path in tmp_path.iterdir()} - {"aioxen"}
    assert files == {"Metrics": {"aioxen.prom"}, "A picture": {"lives.json", "lives.html"}}.get(
        heading, set()
    )


def test_the_page_names_every_metric() -> None:
    from aioxen import _metric_tables as tables

    for row in (*tables.HOST, *tables.DOMAIN):
        last = row.name.removeprefix("aioxen_domain").removeprefix("aioxen_host")
        assert f"{last}_total`" in TEXT or f"{last}`" in TEXT, row.name
