# SPDX-License-Identifier: LGPL-2.1-or-later
"""The paths of the built library, and functions that run commands. The tests of the package share them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
LIBRARY = BUILD / "libaioxen.so"
PYTHON = "/usr/bin/python3"
CLEAN = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "AIOXEN_BUILD")}
INCLUDES = [f"-I{ROOT / 'src/include'}", f"-I{BUILD / 'gen/include'}"]


def output(*command: str | Path, folder: Path = ROOT, **environment: str) -> str:
    """Returns the standard output of a command. The command must succeed, and must print nothing on
    standard error."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def exported() -> dict[str, str]:
    """Returns the version of every symbol that the library exports, as nm prints it."""
    listed = output("nm", "-D", "--defined-only", "--with-symbol-versions", LIBRARY)
    found = [line.split()[1:] for line in listed.splitlines()]
    return dict(name.split("@@") for kind, name in found if kind != "A")


def declared(tmp_path: Path) -> dict[str, str]:
    """Returns the functions that the public headers declare, each with its header. The compiler finds
    these functions."""
    source, information = tmp_path / "all.c", tmp_path / "all.txt"
    source.write_text("#include <libxl.h>\n" + "".join(f"#include <{h.name}>\n" for h in headers()))
    output("gcc", "-fsyntax-only", "-aux-info", information, *INCLUDES, source)
    found = re.findall(
        r"^/\* (\S+):\d+:\S+ \*/ extern .*?\b(libxl_\w+)(?: \(|;)", information.read_text(), re.M
    )
    return {name: Path(header).name for header, name in found}


def headers() -> list[Path]:
    return sorted((ROOT / "src/include").glob("libxl*.h"))


def version() -> str:
    found = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert found
    return found[1]


def run(*command: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that must not use this tree's build."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**CLEAN, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def copy_of_the_tree(folder: Path) -> Path:
    """Copies the files that git knows or would add. Returns the folder."""
    listed = output("git", "ls-files", "-co", "--exclude-standard").splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder
