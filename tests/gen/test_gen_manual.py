# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual pages and the manual's sources are well formed, and describe everything in the IDL."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gen_support import FIXTURE, ROOT, generate

from gen.load import load
from gen.python.names import error_class


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("manual")
    done = generate(out, options=("--only", "man", "--only", "manual"))
    assert done.returncode == 0, done.stderr
    return out


PARTS = "SYNOPSIS", "DESCRIPTION", "PARAMETERS", "RETURN VALUE", "ERRORS", "THREADS", "EXAMPLES"
MODEL = load(sorted((ROOT / "idl").glob("*.idl")))


def test_every_operation_and_type_has_a_page(made: Path) -> None:
    pages = {p.stem for p in (made / "man/man3").iterdir()}
    assert {o.c_name for o in MODEL.public_operations} <= pages
    assert {s.c_name for s in MODEL.structs if s is not MODEL.event} <= pages
    assert {"libxl_errors", "libxl_events"} <= pages


def test_a_page_says_everything(made: Path) -> None:
    for o in MODEL.public_operations:
        text = (made / f"man/man3/{o.c_name}.3").read_text()
        for part in (*PARTS, "ABORT", "TIME LIMIT"):
            assert f".SH {part}\n" in text, (o.name, part)
        for error in [*o.errors, *MODEL.common_errors]:
            assert f".B ERROR_{error.name}\n" in text, (o.name, error.name)
        for f in o.inputs + o.results:
            assert f".B {f.name}\n" in text, (o.name, f.name)
        phases = text.partition(".SH PHASES\n")[2].partition(".SH ")[0]
        assert re.findall(r"^\.B (\w+)$", phases, re.MULTILINE) == [p.name for p in o.phases], o.name


def test_the_fixture_s_pages_are_well_formed(tmp_path: Path) -> None:
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    assert generate(tmp_path, *FIXTURE, options=("--only", "man")).returncode == 0
    own = [p for p in sorted((tmp_path / "man/man3").iterdir()) if not p.read_text().startswith(".so ")]
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", *own], capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def test_the_manual_is_made_without_a_warning(made: Path, tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    for page in (made / "manual").iterdir():
        shutil.copy(page, tmp_path)
    (tmp_path / "conf.py").write_text("")
    (tmp_path / "index.rst").write_text("x\n=\n\n.. toctree::\n\n   c\n   python\n")
    out = tmp_path / "html"
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        str(tmp_path),
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    c_page, python_page = (out / "c.html").read_text(), (out / "python.html").read_text()
    for o in MODEL.public_operations:
        assert f'id="c.{o.c_name}"' in c_page
        assert f'id="aioxen.Context.{o.python_name}"' in python_page
        for page, mark in (
            (c_page, f'id="c.{o.c_name}"'),
            (python_page, f'id="aioxen.Context.{o.python_name}"'),
        ):
            said = page.split(mark)[1].split("</dd></dl>\n\n<dl")[0]
            for f in o.inputs + (o.results if page is c_page else []):
                assert f"<strong>{f.name}</strong>" in said, (o.name, f.name)
            for part in "Errors", "Abort", "Time limit", "Speed", "Since":
                assert f">{part}<" in said, (o.name, part)
            assert page is c_page or not o.results or ">Returns<" in said
            for error in [*o.errors, *MODEL.common_errors]:
                assert (error.c_name if page is c_page else error_class(error)) in said, (o.name, error.name)
    for error in MODEL.errors:
        assert f'id="c.libxl_error.{error.c_name}"' in c_page or error.c_name in c_page
        assert f'id="aioxen.{error_class(error)}"' in python_page
