# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README's commands for installing work as typed. The package can be used in tests with event-loop
plugins."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from conftest import Debian
from package_support import PYTHON, ROOT, copy_of_the_tree, output, run


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text().split("\n## Installing\n")[1]
    (block,) = re.findall(r"\n\n((?:    .*\n)+)", text.split("\n## ")[0])[:1]
    return [line.strip() for line in block.splitlines()]


def test_the_readme_s_commands(debian: Debian) -> None:
    """The commands run in a fresh Debian 12. A person would confirm apt's question; the test sets the answer
    in advance."""
    debian.run("echo 'APT::Get::Assume-Yes \"true\";' >/etc/apt/apt.conf.d/yes; apt-get -qq update")
    for command in commands():
        debian.run(f"cd /src && {command}")
    assert "Domain-0" in debian.run(
        "~/aioxen/bin/aioxen-sim --download && ~/aioxen/bin/aioxen-sim -- aioxen list"
    )


def test_build_and_twine_and_plugins(tmp_path: Path) -> None:
    """`python -m build` makes both archives, twine accepts them, and a project tests itself with
    pytest-asyncio and anyio in an environment that sees no package of Debian."""
    python = tmp_path / "environment/bin/python"
    output(PYTHON, "-m", "venv", tmp_path / "environment")
    run(python, "-m", "pip", "-q", "install", "build", "twine", "pytest-asyncio", "anyio", folder=tmp_path)
    tree = copy_of_the_tree(tmp_path / "tree")
    done = run(python, "-m", "build", "-o", tmp_path / "dist", tree, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    archives = sorted((tmp_path / "dist").iterdir())
    assert [path.suffix for path in archives] == [".whl", ".gz"]
    done = run(python, "-m", "twine", "check", "--strict", *archives, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    done = run(python, "-m", "pip", "-q", "install", f"{archives[0]}[test]", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    project = shutil.copytree(ROOT / "tests/package/downstream", tmp_path / "project")
    run(tmp_path / "environment/bin/aioxen-sim", "--download", folder=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    tests = ["-q", "tests", "tests_of_loops"]
    done = run(python, "-m", "pytest", *tests, folder=project, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("13 passed, 1 skipped")
