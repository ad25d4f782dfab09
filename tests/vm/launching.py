# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions by which tests of the virtual machine use the launcher."""

import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from limits import scaled

PROJECT = Path(__file__).resolve().parents[2]
LAUNCHER = str(PROJECT / "vm/aioxen-vm")
LIMIT = scaled(120)  # The time limit of each program that a test runs, in seconds.

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass
class Dom0:
    """A shell in dom0, in which several tests run their commands."""

    process: "subprocess.Popen[str]"

    def __call__(self, command: str, check: bool = True) -> str:
        """Runs shell text. Returns the shell's standard output and standard error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        mark = uuid.uuid4().hex
        self.process.stdin.write(f"{{ {command}\n}} </dev/null 2>&1; echo {mark} $?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            before, found, status = line.partition(mark)
            lines.append(before)
            if found:
                output = "".join(lines)
                assert not check or int(status) == 0, f"{command}: status{status}{output}"
                return output
        raise AssertionError(f"dom0 ended during: {command}\n{''.join(lines)}")
