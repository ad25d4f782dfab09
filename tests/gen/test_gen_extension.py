# SPDX-License-Identifier: LGPL-2.1-or-later
"""An extension's own declarations are written under its name, and its mistakes are reported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from gen_support import ROOT, generate

LIBRARY = str(ROOT / "idl")
OPERATION = (
    'Operation("op", doc="Do it.", inputs=[("domid", domid, "Which.")], results=[("info", dominfo, "It.")],\n'
    '    errors=["FAIL"], abort="Nothing is left.", phases=[Phase("a", "It is done.")], since="1.0")\n'
)
STRUCT = 'Struct("thing", [("kind", domain_type, "Which.")], doc="A thing.", since="1.0")\n'


def extend(out: Path, text: str, *more: str) -> tuple[int, str, Path]:
    idl = out / "mine.idl"
    idl.write_text(text)
    done = generate(out / "out", idl, options=("--extends", LIBRARY, *more))
    return done.returncode, done.stderr, idl


def test_only_its_own_is_written(tmp_path: Path) -> None:
    assert extend(tmp_path, f'namespace("mine_")\n{STRUCT}{OPERATION}')[:2] == (0, "")
    files = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    named = [f for f in files if f.startswith(("include/", "src/"))]
    assert "src/_mine_phases_op.h" in named
    assert named
    assert all("mine" in f for f in named)
    text = "".join((tmp_path / "out" / f).read_text() for f in named)
    assert "int mine_op(libxl_ctx *ctx, libxl_domid domid, libxl_dominfo *info," in text
    assert "extern const libxl__phases mine__op_phases;" in text
    assert "libxl_domain_create_new" not in text
    assert "python/mine/__init__.py" in files
    assert "python/mine/errors.py" in files


def test_its_errors_and_events_are_its_own(tmp_path: Path) -> None:
    text = 'Errors([(-1000, "NEW", "New.")])\nEvents([Event(1000, "told", [], doc="Told.", since="1.0")])\n'
    assert extend(tmp_path, f'namespace("mine_")\n{text}')[:2] == (0, "")
    header = (tmp_path / "out/include/_mine_types.h").read_text()
    assert "    MINE_ERROR_NEW = -1000, /* New. */\n} mine_error;\n" in header
    assert "    MINE_EVENT_TYPE_TOLD = 1000, /* Told. */\n} mine_event_type;\n" in header
    assert "#include <_mine_types.h>" in (tmp_path / "out/include/mine.h").read_text()
    assert "libxl_event_type" not in header


def test_numbers_of_two_extensions_do_not_meet() -> None:
    sys.path.insert(0, str(ROOT / "bindings/python/aioxen"))
    try:
        register = importlib.import_module("_extend").register
    finally:
        del sys.path[0]
    mine, theirs = type("A", (), {"__module__": "mine"}), type("B", (), {"__module__": "theirs"})
    known: dict[int, Any] = {}
    register(known, {-1000: mine}, "error")
    register(known, {-1000: mine, -1001: mine}, "error")
    with pytest.raises(ImportError, match="error -1001 of theirs is already registered by mine"):
        register(known, {-1001: theirs}, "error")
    assert known == {-1000: mine, -1001: mine}


@pytest.mark.parametrize("text", [OPERATION, STRUCT])
def test_operations_alone_and_types_alone(tmp_path: Path, text: str) -> None:
    assert extend(tmp_path, f'namespace("mine_")\n{text}')[:2] == (0, "")
    header = (tmp_path / "out/include/mine.h").read_text()
    for part in "types", "operations":
        included = f"#include <_mine_{part}.h>" in header
        assert included == (tmp_path / f"out/include/_mine_{part}.h").exists()


def test_a_name_of_its_own(tmp_path: Path) -> None:
    assert extend(tmp_path, f'namespace("mine_")\n{OPERATION}', "--name", "other")[0] == 0
    assert (tmp_path / "out/include/other.h").exists()
    assert (tmp_path / "out/python/other/_operations.py").exists()


def line_of(error: str) -> int:
    lines = (ROOT / "idl/errors.idl").read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if f'"{error}"' in line)


DEVICE_FUNCTIONS = (
    'namespace("m_")\nhorninfo = Struct("horninfo", [("a", string)])\n'
    'horn = Struct("device_horn", [("b", string)])\n'
    'horns = Struct("horn_list", [("devices", Array(horn, "num_devices"))])\n'
    'Operation("list_horns", doc="List.", results=[("list", horns, "All.")], errors=["FAIL"],\n'
    '    abort="Nothing happens.", speed="instant", since="1.0")\n'
    'DeviceFunctions("horn", one="horn", many="horns", info=horninfo, kind="vhorn", listing="list_horns",\n'
    '    by="b", since="1.0")\n'
)
WRONG = [
    (
        f'namespace("libxl_")\n{OPERATION}',
        "2: Operation op: an extension has a namespace of its own, not 'libxl_'",
    ),
    (OPERATION, "1: Operation op: an extension has a namespace of its own, not ''"),
    (
        'namespace("m_")\nErrors([(-999, "NEW", "New.")])\n',
        "2: error NEW: an extension's numbers begin at -1000",
    ),
    ('Errors([(-1000, "NEW", "New.")])\n', "1: error NEW: an extension has a namespace of its own"),
    (
        'namespace("m_")\nErrors([(-1000, "A", "A."), (-1000, "B", "B.")])\n',
        "2: error B: -1000 is the number of A",
    ),
    (
        'namespace("m_")\nErrors([(-1000, "INVAL", "New.")])\n',
        f"2: error INVAL: declared already at {LIBRARY}/errors.idl:{line_of('INVAL')}",
    ),
    (
        'namespace("m_")\nErrors([(-1000, "NEW", "New.")], common=["NEW"])\n',
        "2: error NEW: the library's operations cannot give it",
    ),
    (
        'Events([Event(999, "new", [], doc="New.", since="1.0")])\n',
        "1: Event new: an extension's numbers begin at 1000",
    ),
    (
        'Events([Event(1000, "new", [("a", uint8, "A.")], doc="New.", since="1.0")])\n',
        "1: Event new: an extension's event carries no fields",
    ),
    ('namespace("mine_")\nStruct("s", [("a", nothing)])\n', "2: name 'nothing' is not defined"),
    (
        f'namespace("a_")\n{OPERATION}namespace("b_")\n{OPERATION.replace("op", "other", 1)}',
        "5: namespace b_: an extension's operations have one namespace",
    ),
    (DEVICE_FUNCTIONS, "7: DeviceFunctions horn: only the library's classes have such functions"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong(tmp_path: Path, text: str, message: str) -> None:
    code, said, idl = extend(tmp_path, text)
    assert (code, said) == (1, f"{idl}:{message}\n")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_library(tmp_path: Path) -> None:
    (tmp_path / "mine.idl").write_text("")
    done = generate(tmp_path / "out", tmp_path / "mine.idl", options=("--extends", str(tmp_path / "no")))
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}/no:1: no *.idl here\n")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("my-own", "it must be a name for a Python package and a C header"),
        ("class", "it must be a name for a Python package and a C header"),
        ("json", "that is a module of Python's standard library"),
        ("aioxen", "that is a module or a header of aioxen"),
        ("vdev", "that is a module or a header of aioxen"),
        ("libxl_event", "that is a module or a header of aioxen"),
        ("rt", "librt is a library that it is linked with"),
    ],
)
def test_a_name_that_it_cannot_have(tmp_path: Path, name: str, reason: str) -> None:
    code, said, idl = extend(tmp_path, f'namespace("mine_")\n{OPERATION}', "--name", name)
    assert (code, said) == (1, f"{idl}:1: the extension's name is {name!r}: {reason}\n")
