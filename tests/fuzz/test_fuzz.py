# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs each fuzzing target, built without a fuzzer, with its corpus.

The corpus contains the inputs that once found a fault.
"""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("AIOXEN_BUILD", HERE.parents[1] / "build")) / "tests/fuzz"
TARGETS = sorted(source.stem for source in HERE.glob("*.c"))


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_finds_no_fault(target: str) -> None:
    inputs = sorted((HERE / "corpus" / target).iterdir())
    assert inputs
    command = [BUILD / target, *inputs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        said, wrong = program.communicate(timeout=120)
    assert (program.returncode, said) == (0, f"{len(inputs)} inputs\n"), wrong
    assert not Path(f"/tmp/aioxen-fuzz-{program.pid}").exists()


def test_each_corpus_has_a_target() -> None:
    assert sorted(folder.name for folder in (HERE / "corpus").iterdir()) == TARGETS
