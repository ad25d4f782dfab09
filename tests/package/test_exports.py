# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library exports the functions of its public headers, by versions, and the functions that extensions
call."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
from package_support import BUILD, ROOT, declared, exported, headers, output, version

from gen.linker_map import exported as listed
from gen.load import load

MODEL = load(sorted((ROOT / "idl").glob("*.idl")))
INTERNAL = f"AIOXEN_INTERNAL_{version()}"


def test_what_is_public_is_what_the_headers_declare(tmp_path: Path) -> None:
    public = {name for name, node in exported().items() if node != INTERNAL}
    assert public == set(declared(tmp_path))


def test_each_public_function_is_under_its_version() -> None:
    public = {name: node for name, node in exported().items() if node != INTERNAL}
    assert public == {name: f"AIOXEN_{since}" for since, name in listed(MODEL)}


def test_internal_functions_are_those_of_the_list() -> None:
    internal = {name for name, node in exported().items() if node == INTERNAL}
    assert internal
    assert {name for name in internal if not name.startswith("libxl__")} == set()
    patterns = [f"libxl__{pattern}" for pattern in MODEL.internal]
    assert [p for p in patterns if not fnmatch.filter(internal, p)] == []
    assert {name for name in internal if not any(fnmatch.fnmatch(name, p) for p in patterns)} == set()
    defined = output("nm", "--defined-only", "--extern-only", BUILD / "libaioxen.a")
    hidden = set(re.findall(r"\b(libxl__\w+)$", defined, re.MULTILINE)) - internal
    assert {"libxl__loop_open", "libxl__workers_close"} <= hidden


def test_nothing_is_newer_than_the_library() -> None:
    release = tuple(map(int, version().split(".")))
    assert {since for since, _ in listed(MODEL) if tuple(map(int, since.split("."))) > release} == set()


def test_a_function_that_is_not_listed_is_told(tmp_path: Path) -> None:
    extra = tmp_path / "libxl_extra.h"
    extra.write_text(
        "typedef struct libxl_new {\n    int a;\n} libxl_new;\nint libxl_new_make(libxl_new *p);\n"
    )
    template = BUILD / "gen/libaioxen.map.in"
    assert INTERNAL in output("tools/linker-map", version(), template, *headers())
    with pytest.raises(AssertionError, match="add it to idl") as told:
        output("tools/linker-map", version(), template, *headers(), extra)
    assert f"{extra}: libxl_new_make is not exported" in str(told.value)
    assert "libxl_new is not" not in str(told.value)
