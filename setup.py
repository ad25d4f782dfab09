#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the Python package: its own modules, the generated modules, and the extension modules.

AIOXEN_BUILD=build ./setup.py -q build --build-lib build/python     in the tree, for make
pip install .                                                       against the installed library
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "bindings" / "python"))
from library import locate  # noqa: E402


class BuildWithGenerated(build_py):  # type: ignore[misc]  # setuptools has no types
    """Adds the generated modules to the package."""

    def run(self) -> None:
        super().run()
        build = os.environ.get("AIOXEN_BUILD") or self.get_finalized_command("build").build_temp
        generated = ROOT / build / "gen"
        subprocess.run([sys.executable, "-m", "gen", "--out", str(generated)], cwd=ROOT, check=True)
        for module in sorted((generated / "python" / "aioxen").iterdir()):
            self.copy_file(str(module), str(Path(self.build_lib, "aioxen", module.name)))

    def byte_compile(self, files: list[str]) -> None:
        """Left to pip, which compiles when it installs."""


folders, link = locate()
setup(
    packages=["aioxen", "aioxen.cli"],
    package_dir={"": "bindings/python"},
    package_data={"aioxen": ["py.typed", "_live.pyi"]},
    ext_modules=[
        Extension(
            "aioxen._live",
            sorted(str(path.relative_to(ROOT)) for path in (ROOT / "bindings/python/live").glob("*.c")),
            include_dirs=[str(f) for f in folders],
            extra_link_args=link,
            extra_compile_args=["-O2", "-std=gnu11", "-Wall", "-Wextra", "-fvisibility=hidden"],
            depends=[
                "bindings/python/live/live.h",
                *(str(header) for folder in folders for header in folder.glob("*libxl*.h")),
            ],
            py_limited_api=True,
        )
    ],
    cffi_modules=["bindings/python/build.py:ffibuilder"],
    cmdclass={"build_py": BuildWithGenerated},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
