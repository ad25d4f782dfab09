# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the C library is, for what is built against it.

With AIOXEN_BUILD naming a build folder of this tree, extension modules use the headers and the library
there, and find the library at run time by their own place; else they use the installed library, as
pkg-config tells.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


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


def place() -> tuple[list[Path], list[str]]:
    """The folders with its headers, and how it is linked."""
    if build := os.environ.get("AIOXEN_BUILD"):
        folders = [ROOT / "src" / "include", ROOT / build / "gen" / "include"]
        # build/python/aioxen/_native.abi3.so -> build/libaioxen.so
        return folders, [f"-L{ROOT / build}", "-laioxen", "-Wl,-rpath,$ORIGIN/../.."]
    folders = [Path(f[2:]) for f in pkg_config("--cflags-only-I") if f.startswith("-I")]
    folders.append(Path(*pkg_config("--variable=includedir")))
    return folders, pkg_config("--libs")
