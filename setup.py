#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the Python package: its own modules, the generated modules, and the extension modules.

pip install .                                                       with a private copy of the C library
AIOXEN_LIBRARY=installed pip install .                              against the installed library
AIOXEN_BUILD=build ./setup.py -q build --build-lib build/python     in the tree, for make

The first two also contain the simulator.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel
from setuptools.command.egg_info import egg_info

ROOT = Path(__file__).resolve().parent
BINDINGS = "bindings/python"
TREE = os.environ.get("AIOXEN_BUILD")
"""The build folder of the make that runs this file. It contains the C library."""
PRIVATE = not TREE and os.environ.get("AIOXEN_LIBRARY") != "installed"
LIBRARY = "libaioxen-python.so"
"""The private copy of the C library."""
OWN = [LIBRARY, "aioxen-transfer"]  # the private copy of the library, and the program that it runs
NEEDED = {"make": "make", "cc": "gcc", "pkg-config": "pkg-config"}
NEEDED_LIBRARIES = {
    "xencontrol": "libxen-dev",
    "json-c": "libjson-c-dev",
    "libmnl": "libmnl-dev",
    "libzstd": "libzstd-dev",
    "zlib": "zlib1g-dev",
}
SIMULATOR = ["libaioxen-sim.so", *(f"aioxen-sim-{name}" for name in ("guests", "devices", "qemu", "ctl"))]
SIMULATOR += ["xen-release"]

LICENSE = "# SPDX-License-Identifier: LGPL-2.1-or-later\n"
HEAD = f"{LICENSE}# Generated from pyproject.toml by setup.py. Do not edit.\n"


def missing_packages() -> list[str]:
    """Returns the names of Debian's packages that the build needs and that are missing on this machine."""
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    for library, package in NEEDED_LIBRARIES.items():
        known = (
            shutil.which("pkg-config") and subprocess.run(["pkg-config", "--exists", library]).returncode == 0
        )
        missing += [] if known else [package]
    header = Path(sysconfig.get_path("include"), "Python.h")
    return missing if header.exists() else [*missing, "python3-dev"]


def make(folder: str, *targets: str) -> None:
    """Runs the tree's make in a build folder."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")
    }
    flags = [f"B={folder}", f"PYTHON={shlex.quote(sys.executable)}"]
    if "CFLAGS" not in environment:
        flags.append("CFLAGS=-O2")
    jobs = len(os.sched_getaffinity(0))
    command = ["make", "-s", f"-j{jobs}", *flags, *(f"{folder}/{target}" for target in targets)]
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        sys.exit(f"the C library cannot be built: {shlex.join(command)}")


class Build(build):  # type: ignore[misc]  # setuptools has no types
    """Builds, unless a package that the build needs is missing."""

    def run(self) -> None:
        if missing := missing_packages():
            names = " ".join(missing)
            sys.exit(f"aioxen cannot be built on this machine without {names}: apt install {names}")
        super().run()


class BuildPython(build_py):  # type: ignore[misc]
    """Adds the generated modules, and the simulator's scripts."""

    def run(self) -> None:
        super().run()
        folder = TREE or self.get_finalized_command("build").build_temp
        if not TREE:
            make(folder, "gen/.generated")
        package = Path(self.build_lib, "aioxen")
        self.copy(sorted(Path(folder, "gen/python/aioxen").iterdir()), package)
        version = self.distribution.get_version()
        text = f'{HEAD}"""The version of the package."""\n\n__version__ = "{version}"\n'
        Path(package, "_version.py").write_text(text)
        sys.path.insert(0, str(ROOT / BINDINGS))
        import derive

        Path(package, "_sync_derived.py").write_text(derive.text(), encoding="utf-8")
        if not TREE:
            simulator = Path(self.build_lib, "aioxen_sim")
            self.copy(sorted(Path("sim/scripts").iterdir()), simulator / "scripts")
            self.copy([Path("tools/unpack-packages")], simulator / "tools")
            self.copy(sorted(Path("tools/packages").glob("unpack-*.txt")), simulator / "tools/packages")

    def copy(self, files: list[Path], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            self.copy_file(str(file), str(folder / file.name))

    def byte_compile(self, files: list[str]) -> None:
        """Does nothing, because pip compiles the modules when it installs them."""


class BuildExtensions(build_ext):  # type: ignore[misc]
    """Makes the C library and the source of aioxen._native. Adds the simulator's programs."""

    def run(self) -> None:
        temp = self.get_finalized_command("build").build_temp
        if not TREE:
            programs = [f"sim/{name}" for name in SIMULATOR] + ["guest/tiny"]
            make(temp, *programs, *(OWN if PRIVATE else []))
            self.copy([Path(temp, name) for name in programs], Path(self.build_lib, "aioxen_sim/programs"))
        if PRIVATE:
            self.copy([Path(temp, name) for name in OWN], Path(self.build_lib, "aioxen"))
        folders, link = self.library(TREE or temp)
        source = Path(temp, "_native.c")
        source.parent.mkdir(parents=True, exist_ok=True)
        sys.path.insert(0, str(ROOT / BINDINGS))
        import build as binding

        binding.make(folders).emit_c_code(str(source))
        headers = [str(header) for folder in folders for header in folder.glob("*libxl*.h")]
        for extension in self.extensions:
            if extension.name == "aioxen._native":
                extension.sources = [str(source)]
            extension.include_dirs += [str(folder) for folder in folders]
            extension.extra_link_args += link
            extension.depends += headers
        super().run()

    copy = BuildPython.copy

    def library(self, folder: str) -> tuple[list[Path], list[str]]:
        """Returns the folders with the C library's headers, and the linker's options."""
        if not TREE and not PRIVATE:
            sys.path.insert(0, str(ROOT / BINDINGS))
            from library import locate

            return locate()
        folders = [ROOT / "src/include", ROOT / folder / "gen/include"]
        if PRIVATE:
            return folders, [f"-L{ROOT / folder}", f"-l:{LIBRARY}", "-Wl,-rpath,$ORIGIN"]
        # build/python/aioxen/_native.abi3.so finds build/libaioxen.so.
        return folders, [f"-L{ROOT / folder}", "-laioxen", "-Wl,-rpath,$ORIGIN/../.."]


class Metadata(egg_info):  # type: ignore[misc]
    """Keeps aioxen.egg-info out of the tree's root: a pytest that runs there would load the plugin."""

    def finalize_options(self) -> None:
        if self.egg_base is None:
            self.egg_base = "build"
            Path(self.egg_base).mkdir(exist_ok=True)
        super().finalize_options()


class Editable(editable_wheel):  # type: ignore[misc]
    def run(self) -> None:
        sys.exit(
            "aioxen has generated modules, so it cannot be installed as editable: "
            "run `make` in the tree, and set PYTHONPATH=build/python"
        )


def description() -> str:
    """Returns README.md for a page outside the tree. A link into the tree becomes an address below the
    project's Source in pyproject.toml, or only its text where there is no such address."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = project.get("urls", {}).get("Source")
    into_the_tree = re.compile(r"\[([^\]\n]+)\]\((?!https?://)([^)\s]+)\)")
    return into_the_tree.sub(rf"[\1]({source}/\2)" if source else r"\1", text)


def extension(name: str, sources: list[str], *flags: str, **more: list[str]) -> Extension:
    return Extension(name, sources, extra_compile_args=[*flags], py_limited_api=True, **more)


live = [str(path.relative_to(ROOT)) for path in sorted((ROOT / BINDINGS / "live").glob("*.c"))]
setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    packages=find_packages(BINDINGS, include=["aioxen*"]) + ([] if TREE else ["aioxen_sim"]),
    package_dir={"aioxen": f"{BINDINGS}/aioxen", "aioxen_sim": "sim/aioxen_sim"},
    include_package_data=False,
    package_data={"": ["py.typed", "*.pyi", "*.html", "*.js", "*.service"]},
    ext_modules=[
        extension(
            "aioxen._live",
            live,
            *("-std=gnu11", "-Wall", "-Wextra", "-fvisibility=hidden"),
            depends=[f"{BINDINGS}/live/live.h"],
        ),
        extension("aioxen._native", []),  # BuildExtensions writes the module's source.
    ],
    cmdclass={
        "build": Build,
        "build_py": BuildPython,
        "build_ext": BuildExtensions,
        "editable_wheel": Editable,
        "egg_info": Metadata,
    },
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
