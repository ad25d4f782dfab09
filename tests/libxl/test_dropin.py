# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drop-in library has the symbols of Debian's libxl, so Debian's programs can be linked with it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from limits import scaled
from test_names import VERSIONS

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
DROPIN = BUILD / "dropin/libxenlight.so.4.17"
LIBXL = Path("/usr/lib/x86_64-linux-gnu/libxenlight.so.4.17")
XL = BUILD / "dom0/usr/lib/xen-4.17/bin/xl"
LIBXLUTIL = Path("/usr/lib/x86_64-linux-gnu/libxlutil.so.4.17")
# The functions of libxl that are still missing: in all, and of those that xl calls. These numbers only fall.
MOST_MISSING = 51
MOST_MISSING_FOR_XL = 37


def names(path: Path, which: str) -> set[str]:
    """Returns the dynamic symbols of libxl's API, with versions. `which` is an option of nm."""
    listed = subprocess.check_output(["nm", "-D", which, path], text=True)
    return {name.replace("@@", "@") for name in re.findall(r" (libxl_[^_\s]\S*)$", listed, re.M)}


@pytest.fixture(scope="module")
def exported() -> set[str]:
    return names(DROPIN, "--defined-only")


def missing() -> set[str]:
    return set((BUILD / "dropin/missing.txt").read_text().split())


def test_every_symbol_of_libxl_is_exported(exported: set[str]) -> None:
    theirs = names(LIBXL, "--defined-only")
    assert len(theirs) > 800
    assert theirs - exported == set()


def test_the_soname_is_libxl_s() -> None:
    headers = subprocess.check_output(["readelf", "-d", DROPIN], text=True)
    assert "Library soname: [libxenlight.so.4.17]" in headers


@pytest.mark.parametrize("program", [XL, LIBXLUTIL], ids=["xl", "libxlutil"])
def test_a_program_finds_every_symbol(program: Path, exported: set[str]) -> None:
    wanted = names(program, "--undefined-only")
    assert wanted
    assert wanted - exported == set()


def test_the_missing_functions_only_become_fewer() -> None:
    assert len(missing()) <= MOST_MISSING
    of_xl = {name.partition("@")[0] for name in names(XL, "--undefined-only")}
    assert len(of_xl) == 303
    assert len(of_xl & missing()) <= MOST_MISSING_FOR_XL


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"{version:#08x}" if version else "none")
def test_a_program_of_each_version_runs(version: int | None, tmp_path: Path) -> None:
    program = tmp_path / "client"
    defined = [f"-DLIBXL_API_VERSION={version:#08x}"] if version else []
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
    source = ROOT / "tests/libxl/client.c"
    subprocess.run(["gcc", *flags, *defined, "-o", program, source, "-lxenlight", "-lxentoollog"], check=True)
    command = [ROOT / "sim/aioxen-sim", "--", "env", f"LD_LIBRARY_PATH={DROPIN.parent}", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(30))
    assert (done.stdout, done.stderr) == ("done\n", "")
