# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator accepts features of libxl's type files that this project's own files do not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from json_support import HERE


def test_the_features_of_libxl_s_files_work() -> None:
    done = subprocess.run(
        [sys.executable, HERE / "xen_idl.py", HERE / "xen/manner.idl", HERE / "xen/manner_internal.idl"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "6 structs, 6 enumerations of 11 values: good\n"


def test_a_missing_file_is_reported() -> None:
    done = subprocess.run(
        [sys.executable, HERE / "xen_idl.py", Path("no/such.idl")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.endswith("such.idl:1: cannot be read: No such file or directory\n")
    assert "Traceback" not in done.stderr
