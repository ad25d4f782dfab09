# SPDX-License-Identifier: LGPL-2.1-or-later
"""The extension module aioxen._native: the C library through cffi, in API mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cffi import FFI
from headers import declarations

PUBLIC = ("libxl.h", "libxl_utils.h", "libxl_json.h")  # libxl.h includes the other public headers.


def make(folders: Sequence[Path]) -> FFI:
    """Returns the declarations of the headers in `folders`. The caller compiles and links the module."""
    ffi = FFI()
    ffi.cdef(declarations(PUBLIC, folders))
    includes = "".join(f"#include <{header}>\n" for header in PUBLIC)
    ffi.set_source("aioxen._native", "#include <poll.h>\n" + includes)
    return ffi
