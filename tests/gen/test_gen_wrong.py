# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each wrong IDL file gives exactly the messages in its lines `#: LINE: MESSAGE`."""

from __future__ import annotations

from pathlib import Path

import pytest
from gen_support import ROOT, WRONG, generate

FILES = sorted(WRONG.glob("*.idl"))


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_wrong(path: Path, tmp_path: Path) -> None:
    shown = path.relative_to(ROOT)
    text = path.read_bytes().decode(errors="replace")
    said = [line.removeprefix("#: ") for line in text.splitlines() if line.startswith("#: ")]
    assert said
    done = generate(tmp_path / "out", shown)
    assert done.stderr.splitlines() == [f"{shown}:{line}" for line in said]
    assert done.returncode == 1
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_there_are_many() -> None:
    assert len(FILES) >= 40


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = generate(tmp_path, Path("no/such.idl"))
    assert (done.returncode, done.stderr) == (1, "no/such.idl:1: cannot be read: No such file or directory\n")


def test_all_mistakes_are_told_in_order(tmp_path: Path) -> None:
    file = tmp_path / "x.idl"
    file.write_text('Struct("a", [("if", uint8)])\nStruct("b", [\n    ("c", uint8),\n    ("c", uint8),\n])\n')
    done = generate(tmp_path / "out", file)
    assert done.stderr == (
        f"{file}:1: Struct a.if: if is a keyword of C\n"
        f"{file}:4: Struct b: field c: declared already at {file}:3\n"
    )


@pytest.mark.parametrize("text", [f"x = {'-' * 5000}1\n", f"x = {'1 + ' * 5000}1\n"], ids=["parsed", "read"])
def test_an_expression_that_is_too_deep(text: str, tmp_path: Path) -> None:
    file = tmp_path / "deep.idl"
    file.write_text(text)
    done = generate(tmp_path / "out", file)
    assert (done.returncode, done.stderr) == (1, f"{file}:1: an expression is nested too deeply\n")


def test_types_as_deep_as_they_may_be(tmp_path: Path) -> None:
    file = tmp_path / "deep.idl"
    file.write_text(
        'kind = uint8\nfor _ in range(63):\n    kind = Struct(None, [("a", kind, "word " * 40 + ".")])\n'
        'Struct("s", [("a", kind, "A.")], doc="S.", since="0.1")\n'
    )
    done = generate(tmp_path / "out", file)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["acpi", "vcpus"])
def test_a_new_file_without_the_librarys_namespace(name: str, tmp_path: Path) -> None:
    new = tmp_path / f"{name}.idl"
    operation = 'Operation("{}", doc="Do it.", inputs=[("domid", domid, "Which.")], errors=["INVAL"],\n'
    rest = '    abort="Nothing is left.", speed="instant", since="0.1")\n'
    new.write_text("# Mine.\n" + operation.format("a") + rest + operation.format("b") + rest)
    done = generate(tmp_path / "out", *sorted([*(ROOT / "idl").glob("*.idl"), new], key=lambda p: p.name))
    says = 'Operation a: it has no namespace: write namespace("libxl_") above it'
    assert (done.returncode, done.stderr) == (1, f"{new}:2: {says}\n")
    assert not (tmp_path / "out").exists()


def test_another_namespace_than_the_librarys(tmp_path: Path) -> None:
    file = tmp_path / "x.idl"
    operation = (
        'Operation("{}", doc="Do.", errors=["FAIL"], abort="Nothing is left.", speed="instant", '
        'since="0.1")\n'
    )
    two = operation.format("a") + operation.format("b")
    errors = 'Errors([(-3, "FAIL", "It failed.")])\nnamespace("x_")\n'
    file.write_text(f'{errors}{two}namespace("y_")\n{operation.format("c")}')
    done = generate(tmp_path / "out", file)
    says = "Operation c: its namespace is 'y_': write namespace(\"x_\") above it"
    assert (done.returncode, done.stderr) == (1, f"{file}:6: {says}\n")


def test_an_initial_value_that_python_cannot_evaluate(tmp_path: Path) -> None:
    file = tmp_path / "x.idl"
    file.write_text(
        'errors = Errors([(-3, "FAIL", "It failed.")])\nnamespace("libxl_")\n'
        'Operation("act", speed="instant", doc="Act.", errors=["FAIL"],\n'
        '    abort="Nothing happens.", since="0.1",\n'
        '    inputs=[("a", uint8, "A number.", {"init_val": "sizeof(int)"})])\n'
    )
    assert generate(tmp_path / "c", file, options=("--only", "c")).returncode == 0
    done = generate(tmp_path / "out", file, options=("--only", "python"))
    says = "a: init_val: a number or a constant is expected, not 'sizeof(int)'"
    assert (done.returncode, done.stderr) == (1, f"{file}:5: {says}\n")
    assert not (tmp_path / "out").exists()
