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
# The functions of libxl that the driver of Debian 12's libvirt calls. This command has listed them, with the
# file of libvirt-daemon-driver-xen 9.0.0-4+deb12u2:
#   nm -D --undefined-only libvirt_driver_libxl.so | sed -n 's/.* U \(libxl_[^@]*\).*/\1/p' | sort
LIBVIRT = Path(__file__).with_name("libvirt_names.txt")
LIBXLUTIL = Path("/usr/lib/x86_64-linux-gnu/libxlutil.so.4.17")
# The numbers of libxl's functions that are still missing: of all functions, of those that xl calls, and of
# those that libvirt calls. A change may only lower these numbers.
MOST_MISSING = 6
MOST_MISSING_FOR_XL = 0
MOST_MISSING_FOR_LIBVIRT = 0


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


def test_libvirt_finds_every_symbol(exported: set[str]) -> None:
    wanted = LIBVIRT.read_text().split()
    assert len(wanted) == len(set(wanted)) == 112
    assert {f"{name}@VERS_4.17.0" for name in wanted} - exported == set()
    assert len(missing() & set(wanted)) <= MOST_MISSING_FOR_LIBVIRT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a PREFIX that contains the drop-in. The drop-in was installed into a DESTDIR and then moved, as
    a package is."""
    folder = tmp_path_factory.mktemp("installed")
    prefix, staged = folder / "prefix", folder / "staged"
    where = [f"PREFIX={prefix}", f"DESTDIR={staged}"]
    subprocess.run(["make", "-s", "install-dropin", *where], cwd=ROOT, check=True, timeout=scaled(300))
    assert [path.name for path in folder.iterdir()] == ["staged"]
    (staged / prefix.relative_to("/")).rename(prefix)
    return prefix


def as_libxl(installed: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Runs `aioxen-as-libxl COMMAND...` on a simulated Xen machine."""
    full = [ROOT / "sim/aioxen-sim", "--", installed / "bin/aioxen-as-libxl", *command]
    return subprocess.run([str(word) for word in full], capture_output=True, text=True, timeout=scaled(30))


def test_the_installed_files(installed: Path) -> None:
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if not path.is_dir()}
    library = {f"lib/aioxen/libxl/{name}" for name in ("libxenlight.so.4.17", "aioxen-transfer")}
    assert found == {"bin/aioxen-as-libxl"} | library


def test_the_installed_command_runs_xl(installed: Path) -> None:
    listed = as_libxl(installed, "--", "xl", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert re.match(r"Name +ID .*\nDomain-0 +0 ", listed.stdout)
    maps = as_libxl(installed, "--", "sh", "-c", "LD_TRACE_LOADED_OBJECTS=1 xl").stdout
    assert f"libxenlight.so.4.17 => {installed}/lib/aioxen/libxl/libxenlight.so.4.17 " in maps
    assert as_libxl(installed, "sh", "-c", "exit 7").returncode == 7


def test_the_installed_command_needs_a_command(installed: Path) -> None:
    for words in ((), ("--",)):
        done = as_libxl(installed, *words)
        assert (done.returncode, done.stderr) == (2, "usage: aioxen-as-libxl [--] COMMAND...\n")


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
