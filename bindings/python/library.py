# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the C library with which extension modules are built.

If AIOXEN_BUILD names a build folder of this tree, the module uses the tree's headers and the library in this
folder. At run time the extension modules find this library relative to their own location. If AIOXEN_BUILD is
not set, pkg-config names the installed library.
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
        output = getattr(error, "stderr", "") or str(error)
        raise SystemExit(
            f"the C library is not installed (pkg-config aioxen: {output.strip()}): "
            "install it with `make install`, or build in its tree with `make`"
        ) from None
    return done.stdout.split()


def locate() -> tuple[list[Path], list[str]]:
    """Returns the folders with the headers, and the linker options."""
    if build := os.environ.get("AIOXEN_BUILD"):
        folders = [ROOT / "src" / "include", ROOT / build / "gen" / "include"]
        # At run time, build/python/aioxen/_native.abi3.so must find build/libaioxen.so.
        return folders, [f"-L{ROOT / build}", "-laioxen", "-Wl,-rpath,$ORIGIN/../.."]
    folders = [Path(f[2:]) for f in pkg_config("--cflags-only-I") if f.startswith("-I")]
    folders.append(Path(*pkg_config("--variable=includedir")))
    return folders, pkg_config("--libs")
