#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""extension.py NAME BUILD: the extension module NAME._native, for the Python package of an extension.

It is made of what the generator has written below BUILD/gen and of BUILD/libNAME.so, against the installed
library; the package comes to be in BUILD/python/NAME.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.pop("AIOXEN_BUILD", None)  # the installed library, wherever this runs

from headers import HIDDEN, expand  # noqa: E402
from library import pkg_config  # noqa: E402

import build as base  # noqa: E402


def make(name: str, build: Path) -> FFI:
    include = build / "gen" / "include"
    ffi = FFI()
    ffi.include(base.ffibuilder)
    # What libxl.h declares is the library's own: its types are shared.
    ffi.cdef(HIDDEN.sub("", "\n".join(expand(f"{name}.h", [include], set()))))
    folders = [str(include), *(f.removeprefix("-I") for f in pkg_config("--cflags-only-I"))]
    ffi.set_source(
        f"{name}._native",
        f"#include <poll.h>\n#include <{name}.h>\n",
        include_dirs=folders,
        extra_link_args=[
            f"-L{build}",
            f"-l{name}",
            "-Wl,-rpath,$ORIGIN/../..",
            *pkg_config("--libs"),
        ],
        extra_compile_args=["-O2"],
    )
    return ffi


def main() -> None:
    name, build = sys.argv[1], Path(sys.argv[2]).resolve()
    module = Path(make(name, build).compile(tmpdir=str(build / "native")))
    package = build / "python" / name
    package.mkdir(parents=True, exist_ok=True)
    for source in (build / "gen" / "python" / name).iterdir():
        shutil.copy(source, package)
    shutil.copy(module, package)
    (package / "py.typed").touch()


if __name__ == "__main__":
    main()
