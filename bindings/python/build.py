# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the extension module aioxen._native: the C library through cffi, in API mode."""

from __future__ import annotations

import sys
from pathlib import Path

from cffi import FFI

sys.path.insert(0, str(Path(__file__).resolve().parent))
from headers import declarations
from library import locate

PUBLIC = ("libxl.h", "libxl_utils.h", "libxl_json.h")  # libxl.h includes the other public headers.


def make() -> FFI:
    folders, link = locate()
    ffi = FFI()
    ffi.cdef(declarations(PUBLIC, folders))
    ffi.set_source(
        "aioxen._native",
        "#include <poll.h>\n" + "".join(f"#include <{header}>\n" for header in PUBLIC),
        include_dirs=[str(f) for f in folders],
        extra_link_args=link,
        extra_compile_args=["-O2"],
    )
    return ffi


if __name__ != "__main__":
    ffibuilder = make()
