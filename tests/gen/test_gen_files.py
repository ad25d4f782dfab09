# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator is deterministic and quick, writes only changed files, and keeps files that it did not
write."""

from __future__ import annotations

import os
from pathlib import Path

from gen_support import FIXTURE, ONLY, generate


def tree(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_deterministic(tmp_path: Path) -> None:
    for seed in "1", "2":
        os.environ["PYTHONHASHSEED"] = seed
        try:
            assert generate(tmp_path / seed, *FIXTURE).returncode == 0
        finally:
            del os.environ["PYTHONHASHSEED"]
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_what_is_the_same_is_not_touched(tmp_path: Path) -> None:
    generate(tmp_path, *FIXTURE)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
    changed = tmp_path / "src/_libxl_types.c"
    changed.write_text("something else")
    done = generate(tmp_path, *FIXTURE, options=(*ONLY, "--verbose"))
    assert done.stdout == "src/_libxl_types.c\n"
    touched = {p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_mtime != 1}
    assert touched == {changed}


def test_stale_outputs_go_and_other_files_stay(tmp_path: Path) -> None:
    generate(tmp_path, *FIXTURE)
    mine = tmp_path / "src/mine.c"
    mine.write_text("by hand")
    without_operations = [f for f in FIXTURE if f.name != "operations.idl"]
    done = generate(tmp_path, *without_operations)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "src/_libxl_operations.c").exists()
    assert not (tmp_path / "include/_libxl_operations.h").exists()
    assert mine.read_text() == "by hand"


def test_types_alone(tmp_path: Path) -> None:
    types = [f for f in FIXTURE if f.name == "types.idl"]
    assert generate(tmp_path, *types).returncode == 0
    assert (tmp_path / "include/_libxl_types.h").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = generate(tmp_path / "out", *FIXTURE)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "out" in done.stderr


def test_no_files(tmp_path: Path) -> None:
    done = generate(tmp_path / "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "no IDL file given, and no idl/*.idl here\n")
