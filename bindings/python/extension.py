#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""extension.py NAME BUILD: builds the Python package of the extension NAME, in BUILD/python/NAME.

The sources are the generator's output below BUILD/gen. The module NAME._native is linked with
BUILD/libNAME.so and with the installed library.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from headers import declarations, expand, usable  # noqa: E402
from library import locate, pkg_config  # noqa: E402

import build as base  # noqa: E402


def make(name: str, build: Path) -> FFI:
    include = build / "gen" / "include"
    ffi = FFI()
    folders = locate()[0]
    ffi.include(base.make(folders))
    library = declarations(base.PUBLIC, folders)
    # The types of libxl.h are included from the library's ffi, because both modules must share these types.
    ffi.cdef(usable("\n".join(expand(f"{name}.h", [include], set())), library))
    includes = [str(include), *(f.removeprefix("-I") for f in pkg_config("--cflags-only-I"))]
    ffi.set_source(
        f"{name}._native",
        f"#include <poll.h>\n#include <{name}.h>\n",
        include_dirs=includes,
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
