# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fixtures of the Python package: its source archive, its wheel, and an environment that has it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from package_support import BUILD, PYTHON, copy_of_the_tree, output, run, version

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # This makes `import gen` work.

# "downstream" is a project with its own tests. The tests in "long" take minutes (`make test-packages`).
collect_ignore = ["downstream", "long"]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes the source archive. Returns the folder that contains only what was unpacked from it."""
    tree = copy_of_the_tree(tmp_path_factory.mktemp("tree"))
    done = run(PYTHON, "setup.py", "-q", "sdist", folder=tree)
    assert done.returncode == 0, done.stderr
    (made,) = tree.glob("dist/*")
    assert made.name == f"aioxen-{version()}.tar.gz"
    folder = tmp_path_factory.mktemp("empty")
    output("tar", "-xf", made, "-C", folder)
    return folder / f"aioxen-{version()}"


@pytest.fixture(scope="session")
def wheel(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the wheel from the source archive, without a download."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = tmp_path_factory.mktemp("builder")
    output(PYTHON, "-m", "venv", "--system-site-packages", environment)
    flags = ["--no-build-isolation", "--no-deps", "--no-index", "-w", folder]
    done = run(environment / "bin/pip", "-q", "wheel", *flags, archive, folder=folder, CFLAGS="-O0")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    assert made.name.startswith(f"aioxen-{version()}-cp311-abi3-linux_")
    return made


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a virtual environment in which the wheel is installed. The environment can import Debian's Python
    packages, because the tests download nothing."""
    folder = tmp_path_factory.mktemp("environment") / "a space"
    output(PYTHON, "-m", "venv", "--system-site-packages", folder)
    output(
        folder / "bin/python", "-m", "pip", "-q", "install", "--no-deps", "--no-index", wheel, folder=folder
    )
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Returns environment variables for a user whose cache has the programs of a dom0."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "aioxen").mkdir()
    (folder / "aioxen/dom0-4.17").symlink_to(BUILD / "dom0")
    return {"XDG_CACHE_HOME": str(folder)}
