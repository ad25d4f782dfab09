# SPDX-License-Identifier: LGPL-2.1-or-later
"""The steps in docs/extending.md work, both in a copy of the tree and in a folder outside it.

The test runs each block of the page that has commands. It writes any other block to the file that the line
before the block names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"(?:`([^`\n]+)`(, at the end)?:\n\n)?```(\w+)\n(.*?)```", re.DOTALL)
NEEDED = ["sim/libaioxen-sim.so", "dom0/.unpacked", "guest/tiny"]


@dataclass
class Block:
    file: str
    append: bool
    language: str
    text: str


def blocks(section: str) -> list[Block]:
    page = (ROOT / "docs/extending.md").read_text()
    text = page.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [Block(file, bool(append), language, body) for file, append, language, body in BLOCK.findall(text)]


def perform(section: str, folder: Path, environment: dict[str, str]) -> str:
    """Performs the steps of the section. Returns the output of the section's commands."""
    said = ""
    for block in blocks(section):
        if block.language == "sh":
            done = subprocess.run(
                ["bash", "-eux", "-c", block.text],
                cwd=folder,
                env={**os.environ, "CFLAGS": "-O0", "MAKEFLAGS": "-j2", **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert done.returncode == 0, done.stdout
            said += done.stdout
        else:
            assert block.file, block.text
            path = folder / block.file
            path.parent.mkdir(exist_ok=True)
            with path.open("a" if block.append else "x") as file:
                file.write(("\n" if block.append else "") + block.text)
    return said


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a copy of the tree. The parts that simulate a machine are not built again. They are links to
    this tree's build."""
    for name in NEEDED:
        if not (ROOT / "build" / name).exists():
            pytest.skip(f"needs build/{name}: make sim guest")
    copy = tmp_path_factory.mktemp("tree")
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    (copy / "build").mkdir()
    for name in "sim", "dom0", "guest":
        (copy / "build" / name).symlink_to(ROOT / "build" / name)
    return copy


def test_in_the_tree(tree: Path) -> None:
    said = perform("In the tree", tree, {})
    assert "[  PASSED  ] 80 test(s)" in said
    assert "1 passed" in said


def test_outside_the_tree(tree: Path, tmp_path: Path) -> None:
    prefix, folder = tmp_path / "installed", tmp_path / "timed"
    folder.mkdir()
    installed = {
        "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig",
        "LD_LIBRARY_PATH": f"{prefix}/lib",
        "PYTHONPATH": f"{prefix}/python",
    }
    build = ["setup.py", "-q", "build", "--build-base", f"{tmp_path}/b", "--build-lib", f"{prefix}/python"]
    environment = {name: value for name, value in os.environ.items() if name != "AIOXEN_BUILD"}
    environment["AIOXEN_LIBRARY"] = "installed"
    for command in (
        ["make", "-s", "-j2", "CFLAGS=-O0", "install", f"PREFIX={prefix}"],
        ["/usr/bin/python3", *build],
    ):
        done = subprocess.run(
            command, cwd=tree, env={**environment, **installed}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    before = {path: path.stat().st_mtime_ns for path in prefix.rglob("*") if path.is_file()}
    there = {"SIM": f"{ROOT}/sim/aioxen-sim", "KERNEL": f"{ROOT}/build/guest/tiny"}
    said = perform("Outside the tree", folder, {**installed, **there})
    assert "waited three times" in said
    after = {path: path.stat().st_mtime_ns for path in prefix.rglob("*") if path.is_file()}
    assert before == {path: t for path, t in after.items() if "__pycache__" not in path.parts}
    listed = ["nm", "-D", "--defined-only", folder / "build/libtimed.so"]
    names = {line.split()[-1] for line in subprocess.check_output(listed, text=True).splitlines()}
    assert {"timed_domain_pause_during", "timed_domain_wait_paused"} <= names
    assert {name for name in names if not name.startswith("timed_")} == set()
    types(folder, prefix)
    environment = {**os.environ, "CFLAGS": "-O0", **installed}
    rebuilds(folder, prefix, environment)
    installs(folder, tmp_path / "elsewhere", environment)
    del environment["PKG_CONFIG_PATH"]
    done = make(folder, environment)
    assert done.returncode == 2
    assert "pkg-config does not find aioxen" in done.stderr


def make(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def rebuilds(folder: Path, prefix: Path, environment: dict[str, str]) -> None:
    """Checks that make rebuilds the extension after a change of a header or an IDL file, and at no
    other time."""
    with (folder / "wait_paused.c").open("a") as source:
        source.write('#include "own.h"\n')
    (folder / "own.h").write_text("/* nothing */\n")
    share = prefix / "share/aioxen"
    for changed in folder / "own.h", prefix / "include/aioxen/internal/xen.h", share / "idl/types.idl":
        done = make(folder, environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert make(folder, environment, "-q").returncode == 0
        changed.touch()
        assert make(folder, environment, "-q").returncode == 1, changed


def installs(folder: Path, root: Path, environment: dict[str, str]) -> None:
    """Checks that a program can be built against the installed extension, and that Python can import the
    extension. Uninstalling the extension leaves no file."""
    python = root / "python"
    given = [f"PREFIX={root}", f"PYTHONDIR={python}"]
    done = make(folder, environment, "install", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = {
        **environment,
        "PKG_CONFIG_PATH": f"{root}/lib/pkgconfig:{environment['PKG_CONFIG_PATH']}",
        "LD_LIBRARY_PATH": f"{root}/lib:{environment['LD_LIBRARY_PATH']}",
        "PYTHONPATH": f"{python}:{environment['PYTHONPATH']}",
    }
    script = f"""cc -o {root}/use client/use.c $(pkg-config --cflags --libs timed)
    /usr/bin/python3 -c 'import timed; assert timed.__file__.startswith("{python}"); timed.Span(20)'"""
    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=folder, env=installed, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert make(folder, environment, "uninstall", *given).returncode == 0
    left = {p.relative_to(root) for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert left == {Path("use")}


def test_every_kind_of_input_and_result(tree: Path) -> None:
    echo = Path(__file__).parent / "echo"
    with (tree / "idl/operations.idl").open("a") as idl:
        idl.write((echo / "echo.idl").read_text())
    shutil.copy(echo / "domain_echo.c", tree / "src/ops")
    header = tree / "src/include/libxl_uuid.h"
    before, end, after = header.read_text().rpartition("#endif")
    header.write_text(f"{before}{(echo / 'echo_types.h').read_text()}\n{end}{after}")
    python = ["/usr/bin/python3", str(echo / "echo.py")]
    for command in ["make", "-s", "-j2", "CFLAGS=-O0", "lib", "python"], ["sim/aioxen-sim", "--", *python]:
        environment = {**os.environ, "PYTHONPATH": "build/python"}
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "all came back\n"


def types(folder: Path, prefix: Path) -> None:
    """Checks that mypy accepts the Python code that is generated for the extension."""
    if not shutil.which("mypy"):
        pytest.skip("needs mypy")
    done = subprocess.run(
        ["mypy", "--strict", "--no-incremental", "use.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": f"build/python:{prefix}/python"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
