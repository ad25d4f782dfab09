# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files that `make install` installs work with shared and with static linking. `make uninstall` removes
them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from package_support import BUILD, ROOT, output, version
from test_pages import examples, plain, section

OVERVIEW = ROOT / "docs/man/aioxen.7"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    output("make", "-s", "install", f"PREFIX={folder}")
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Returns a folder that contains the program from the overview page."""
    (text,) = examples(OVERVIEW)
    (tmp_path / "prog.c").write_text(text)
    return tmp_path


def found(prefix: Path) -> dict[str, str]:
    return {"PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig", "LD_LIBRARY_PATH": f"{prefix}/lib"}


def test_the_overview_s_program_is_linked_as_it_says(prefix: Path, program: Path) -> None:
    (line,) = re.findall(r"^cc .*$", plain(section(OVERVIEW, "SYNOPSIS")), re.MULTILINE)
    output("sh", "-c", line, folder=program, **found(prefix))
    needed = output("readelf", "-d", "prog", folder=program)
    assert "Shared library: [libaioxen.so.2]" in needed
    if not (BUILD / "sim/libaioxen-sim.so").is_file():
        pytest.skip("needs build/sim: make sim")
    assert output("sim/aioxen-sim", "--", program / "prog", **found(prefix)) == "domain 0\n"


def test_a_program_can_be_linked_with_the_static_library(prefix: Path, program: Path) -> None:
    flags = output("pkg-config", "--cflags", "aioxen", **found(prefix)).split()
    libraries = output("pkg-config", "--static", "--libs", "aioxen", **found(prefix)).split()
    libraries[libraries.index("-laioxen")] = "-l:libaioxen.a"
    output("cc", "-o", "prog", "prog.c", *flags, *libraries, folder=program)
    assert "libaioxen" not in output("readelf", "-d", "prog", folder=program)


def test_there_is_one_version(prefix: Path) -> None:
    assert output("pkg-config", "--modversion", "aioxen", **found(prefix)).strip() == version()


def test_uninstall_leaves_nothing_of_it(tmp_path: Path) -> None:
    where = ["PREFIX=/usr", f"DESTDIR={tmp_path}", "LIBDIR=lib/here"]
    other = tmp_path / "usr/share/man/man3/other.3"
    other.parent.mkdir(parents=True)
    other.touch()
    output("make", "-s", "install", *where)
    assert (tmp_path / "usr/lib/here/libaioxen.so").is_symlink()
    output("make", "-s", "uninstall", *where)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == [other]
    assert list(tmp_path.rglob("*aioxen*")) == []
