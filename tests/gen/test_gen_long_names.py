# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generated Python passes `make lint`, whatever the length of the names."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gen_support import HERE, ROOT, generate

from gen.check_names import words

FILES = [*sorted((HERE / "fixture/python").glob("*.idl")), ROOT / "tests/python/shapes.idl"]
# The words that the test leaves as they are. The test makes all other names longer. Some of the words kept
# are keywords of the IDL language. The generator looks for the other ones by name.
KEPT = words(
    """domid uuid operation_complete rc instant slow init_val enumname optional const octets true make
    domain_drop
    bitmap string_list key_value_list mac defbool colour backend traits
    none file number word amount shade spot later"""
)
RUFF = ROOT / "build/lint/bin/ruff"


def lengthened(text: str, length: int) -> str:
    def name(found: re.Match[str]) -> str:
        word = found[1]
        return f'"{word if word in KEPT or len(word) >= length else (word + "_" + "x" * length)[:length]}"'

    return re.sub(r'"((?!libxl_)[a-z][a-z_]*)"', name, text)


@pytest.mark.parametrize("length", [1, 12, 16, 20, 24, 30, 40, 60, 100])
def test_long_names(length: int, tmp_path: Path) -> None:
    files = [tmp_path / path.name for path in FILES]
    for path, file in zip(FILES, files, strict=True):
        file.write_text(lengthened(path.read_text(), length))
    done = generate(tmp_path / "out", *files, options=("--only", "python"))
    assert (done.returncode, done.stderr) == (0, "")
    modules = [p for p in (tmp_path / "out/python").rglob("*") if p.suffix in (".py", ".pyi")]
    assert modules
    for module in modules:
        text = module.read_text()
        compile(text, module, "exec")
        assert "# fmt: off" in text or all(len(line) <= 110 for line in text.splitlines())
    ruff = RUFF if RUFF.exists() else shutil.which("ruff")
    assert ruff, "ruff is missing; make lint installs it"
    checked = [ruff, "format", "--check", "--isolated", "--line-length", "110", tmp_path / "out/python"]
    done = subprocess.run(checked, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_library_s_own_is_laid_out(tmp_path: Path) -> None:
    assert generate(tmp_path, options=("--only", "python")).returncode == 0
    for module in (tmp_path / "python/aioxen").iterdir():
        assert "# fmt: off" not in module.read_text()
