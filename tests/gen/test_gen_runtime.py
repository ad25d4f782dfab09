# SPDX-License-Identifier: LGPL-2.1-or-later
"""The C code that is generated from the fixture compiles without a warning and passes under the
sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from gen_support import ROOT, RUNTIME, generate

STRICT = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover", "-Wl,--wrap=calloc,--wrap=strdup"]
COMPILERS = [
    pytest.param(c, marks=pytest.mark.skipif(not shutil.which(c), reason=f"{c} is not installed"))
    for c in ("gcc", "clang")
]


# The sources that generated code needs, without the project's own types.
JSON = sorted((ROOT / "src/json").glob("*.c"))
UNDER = [RUNTIME / "runtime.c", RUNTIME / "by_hand.c", ROOT / "src/core/escape.c", *JSON]


def run(*command: object) -> None:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def include(generated: Path) -> list[str]:
    folders = [RUNTIME, generated / "include", generated / "src", ROOT / "src/json", ROOT / "src/core"]
    return [f"-I{folder}" for folder in folders]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_types(compiler: str, generated: Path, tmp_path: Path) -> None:
    sources = [*UNDER, RUNTIME / "test_types.c", *(generated / "src").glob("_libxl_types*.c")]
    run(compiler, *STRICT, *SANITIZED, *include(generated), *sources, "-ljson-c", "-o", tmp_path / "test")
    run(tmp_path / "test")


@pytest.mark.parametrize("callers", [[], ["-DLIBXL_API_VERSION=0x041100"]], ids=["ours", "libxl's"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_operations(compiler: str, callers: list[str], generated: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.o"
    run(compiler, *STRICT, *callers, *include(generated), "-c", RUNTIME / "test_operations.c", "-o", test)
    sources = [*UNDER, *(generated / "src").glob("*.c")]
    objects = [*sources, test, "-ljson-c"]
    run(compiler, *STRICT, *SANITIZED, *include(generated), *objects, "-o", tmp_path / "test")
    run(tmp_path / "test")


def test_missing_phases_and_bodies_are_link_errors(generated: Path, tmp_path: Path) -> None:
    sources = [*UNDER, RUNTIME / "test_types.c", *(generated / "src").glob("*.c")]
    objects = [*map(str, sources), "-ljson-c"]
    command = ["gcc", *SANITIZED, *include(generated), *objects, "-o", str(tmp_path / "test")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "libxl__machine_create_phases" in done.stderr
    assert "libxl__machine_destroy_body" in done.stderr


def test_hidden_types_stay_in_the_library(generated: Path, tmp_path: Path) -> None:
    sources = [*UNDER, *(generated / "src").glob("_libxl_types*.c")]
    library = tmp_path / "libtypes.so"
    run("gcc", *STRICT, "-fPIC", "-shared", *include(generated), *sources, "-ljson-c", "-o", library)
    shown = subprocess.check_output(["nm", "-D", "--defined-only", library], text=True).split()
    for function in "init", "dispose", "copy", "to_json", "from_json":
        assert f"libxl_machine_{function}" in shown
        assert f"libxl_secret_{function}" not in shown


def test_headers_are_cxx_too(generated: Path, tmp_path: Path) -> None:
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")
    source = tmp_path / "test.cc"
    source.write_text("#include <libxl.h>\n")
    run("g++", "-Wall", "-Wextra", "-Werror", *include(generated), "-c", source, "-o", tmp_path / "test.o")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_project_s_own_idl_compiles(compiler: str, tmp_path: Path) -> None:
    assert generate(tmp_path).returncode == 0
    public = ROOT / "src/include"
    if not (public / "libxl.h").exists():
        pytest.skip("no libxl.h")
    where = [
        f"-I{d}"
        for d in (public, tmp_path / "include", ROOT / "src/core", ROOT / "src/json", tmp_path / "src")
    ]
    for source in sorted((tmp_path / "src").glob("_libxl*.c")):
        run(compiler, *STRICT, *where, "-c", source, "-o", tmp_path / "test.o")
