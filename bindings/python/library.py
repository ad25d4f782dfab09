# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the installed C library with pkg-config."""

from __future__ import annotations

import subprocess
from pathlib import Path


def pkg_config(*arguments: str) -> list[str]:
    try:
        done = subprocess.run(
            ["pkg-config", *arguments, "aioxen"], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", "") or str(error)
        raise SystemExit(
            f"the C library is not installed (pkg-config aioxen: {output.strip()}): "
            "install it with `make install`"
        ) from None
    return done.stdout.split()


def locate() -> tuple[list[Path], list[str]]:
    """Returns the folders with the headers, and the linker options."""
    folders = [Path(f[2:]) for f in pkg_config("--cflags-only-I") if f.startswith("-I")]
    folders.append(Path(*pkg_config("--variable=includedir")))
    return folders, pkg_config("--libs")
