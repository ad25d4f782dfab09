# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's libvirtd runs on this library in dom0 of the real Xen, and keeps a guest."""

import os
import subprocess
from pathlib import Path

import pytest
from launching import PROJECT, Run
from limits import scaled

BUILD = Path(os.environ.get("AIOXEN_BUILD", PROJECT / "build"))
LIBVIRT = BUILD / "libvirt"
UNPACKED = (LIBVIRT / "usr/lib/x86_64-linux-gnu", LIBVIRT / "lib/x86_64-linux-gnu")
PROGRAMS = ("usr/sbin/libvirtd", "usr/bin/virsh")
LONG = pytest.mark.skipif(os.environ.get("AIOXEN_GUESTS") != "all", reason="takes minutes: make test-guests")
# The beginnings of the names of the libraries that dom0 has.
OWN = ("libxen", "libxlutil", "libc.so", "libm.so", "libgcc_s", "ld-linux")


def libraries(program: Path) -> set[Path]:
    """Returns the libraries of this machine that a program of libvirt loads, except those that dom0 has."""
    settings = os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, UNPACKED))}
    listed = subprocess.run(["ldd", program], env=settings, capture_output=True, text=True, check=True).stdout
    paths = {Path(line.split()[2]) for line in listed.splitlines() if " => /" in line}
    return {path for path in paths if LIBVIRT not in path.parents and not path.name.startswith(OWN)}


@pytest.fixture(scope="module")
def collected() -> Path:
    """Copies the libraries into the project's tree, which dom0 sees. Returns their directory."""
    folder = BUILD / "vm/libvirt"
    folder.mkdir(parents=True, exist_ok=True)
    modules = UNPACKED[0] / "libvirt"
    for program in [*(LIBVIRT / name for name in PROGRAMS), *modules.rglob("*.so")]:
        for path in libraries(program):
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


@LONG
def test_libvirtd_keeps_a_guest(run: Run, collected: Path) -> None:
    """dom0 needs much memory, because it keeps the file of the saved guest in memory. The file is as large as
    the guest."""
    options = ["--memory", "1536", "--dom0-memory", "1024", "--timeout", str(scaled(600))]
    program = ["/usr/bin/python3", "tests/vm/inside/libvirtd.py", LIBVIRT, BUILD / "dropin", collected]
    done = run(*options, "--", *map(str, program), timeout=scaled(620))
    print(done.stdout, done.stderr)
    assert done.returncode == 0
