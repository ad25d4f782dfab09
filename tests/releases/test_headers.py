# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library and the simulator compile with the headers of other releases of Xen.

tests/package/long runs their tests with the libraries of these releases, in a Debian that has them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
UNPACK = str(ROOT / "tools/unpack-packages")
RELEASES = ["4.20"]
# The declarations of later releases that the library uses. Debian does not have these releases' headers.
PLAYED = ROOT / "tests/releases/played"
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-DXEN_MINOR=0"]
GENERATED = {"src": ["gen/include", "gen/src"], "sim": ["sim"]}


@pytest.fixture(params=RELEASES)
def headers(request: pytest.FixtureRequest) -> Path:
    """Unpacks Xen's headers of one release. Returns their directory."""
    folder = BUILD / f"headers-{request.param}"
    subprocess.run([UNPACK, "--headers", "--xen", request.param, str(folder)], check=True)
    return folder / "usr/include"


def compiles(headers: Path, tree: str, *arguments: str | Path, output: bool = False) -> str:
    """Returns the messages of gcc for a compilation with these headers. With `output`, returns gcc's standard
    output instead. `tree` is src or sim."""
    own = [*sorted((ROOT / tree).glob("*/")), *(BUILD / folder for folder in GENERATED[tree])]
    command = ["gcc", *FLAGS, "-isystem", str(headers), *(f"-I{path}" for path in own), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if output else done.stderr


def test_the_headers_are_those_of_the_release(headers: Path, tmp_path: Path) -> None:
    """The compiler finds the headers of the release, although the system has headers of the same names."""
    source = tmp_path / "which.c"
    source.write_text("#include <xenctrl.h>\n#include <xenguest.h>\n")
    command = ["gcc", "-M", "-isystem", str(headers), str(source)]
    used = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    xen = [name for name in used if "/xen" in name and name != str(source)]
    assert xen and all(name.startswith(str(headers)) for name in xen)


@pytest.mark.parametrize("tree", ["src", "sim"])
def test_everything_compiles(headers: Path, tree: str) -> None:
    sources = sorted((ROOT / tree).glob("*/*.c"))
    assert len(sources) > 20
    assert compiles(headers, tree, *sources) == ""


def test_a_domain_gets_any_free_domid(headers: Path, tmp_path: Path) -> None:
    """From Xen 4.22 on, a creation with the domid 0 requests the domid 0, and one with DOMID_ANY requests any
    domid."""
    source = tmp_path / "any.c"
    source.write_text('#include "release.h"\n_Static_assert(LIBXL__DOMID_ANY == WANTED, "any domid");\n')
    assert compiles(headers, "src", "-DWANTED=0", source) == ""
    assert compiles(headers, "src", "-DDOMID_ANY=0x7ff5", "-DWANTED=0x7ff5", source) == ""
    assert "LIBXL__DOMID_ANY" in (ROOT / "src/xen/build.c").read_text()


def test_the_library_compiles_with_libxenmanage(headers: Path) -> None:
    """Xen has libxenmanage from 4.21 on. tests/c/unit/unique_ids.c tests what the library does with it."""
    assert compiles(headers, "src", f"-I{PLAYED}", ROOT / "src/xen/domain_ids.c") == ""
    used = compiles(headers, "src", f"-I{PLAYED}", "-M", ROOT / "src/xen/domain_ids.c", output=True)
    assert str(PLAYED / "xenmanage.h") in used


def test_a_restore_has_the_argument_of_4_22(headers: Path, tmp_path: Path) -> None:
    """From Xen 4.22 on xc_domain_restore has one more argument, the flags of memory."""
    text = (headers / "xenguest.h").read_text()
    older = "struct restore_callbacks *callbacks, int send_back_fd);"
    assert older in text
    newer = text.replace(older, older.replace(");", ", unsigned int memflags);"))
    (tmp_path / "xenguest.h").write_text(newer)
    source = ROOT / "src/transfer/restore.c"
    assert compiles(headers, "src", source) == ""
    assert compiles(headers, "src", f"-I{tmp_path}", "-DDOMID_ANY=0x7ff5", source) == ""
    assert "too few arguments" in compiles(headers, "src", f"-I{tmp_path}", source)
