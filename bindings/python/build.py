# SPDX-License-Identifier: LGPL-2.1-or-later
"""The extension module aioxen._native: the C library as cffi's API mode sees it.

With AIOXEN_BUILD naming a build folder of this tree, the module uses the headers and the library
there, and finds the library at run time by its own place; else it uses the installed library, as
pkg-config tells.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

sys.path.insert(0, str(HERE))
from headers import declarations  # noqa: E402


def pkg_config(*arguments: str) -> list[str]:
    try:
        done = subprocess.run(
            ["pkg-config", *arguments, "aioxen"], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise SystemExit(
            f"the C library is not installed (pkg-config aioxen: {said.strip()}): "
            "install it with make install, or build in its tree with make"
        ) from None
    return done.stdout.split()


def make() -> FFI:
    if build := os.environ.get("AIOXEN_BUILD"):
        folders = [ROOT / "src" / "include", ROOT / build / "gen" / "include"]
        # build/python/aioxen/_native.abi3.so -> build/libaioxen.so
        link = [f"-L{ROOT / build}", "-laioxen", "-Wl,-rpath,$ORIGIN/../.."]
    else:
        folders = [Path(f[2:]) for f in pkg_config("--cflags-only-I") if f.startswith("-I")]
        folders.append(Path(*pkg_config("--variable=includedir")))
        link = pkg_config("--libs")
    ffi = FFI()
    ffi.cdef(declarations("libxl.h", folders))
    ffi.cdef("int aioxen_take(libxl_ctx *, libxl_event_record *, uint64_t *, int[3], int);")
    ffi.set_source(
        "aioxen._native",
        (HERE / "native.c").read_text(),
        include_dirs=[str(f) for f in folders],
        extra_link_args=link,
        extra_compile_args=["-O2"],
    )
    return ffi


if __name__ != "__main__":
    ffibuilder = make()
