# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator knows the names that are taken by hand-written code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gen_support import ROOT

from gen import check_python
from gen.load import load

PACKAGE = ROOT / "bindings/python/aioxen"


def test_types_that_the_headers_declare() -> None:
    text = "".join(re.sub(r"/\*.*?\*/", "", p.read_text(), flags=re.DOTALL) for p in HEADERS)
    found = set(re.findall(r"^typedef [^;{]*?\b(libxl_\w+)(?:\([^;]*\)|\[\d+\])?;", text, re.MULTILINE))
    found |= set(re.findall(r"^\} (libxl_\w+);", text, re.MULTILINE))
    model = load(sorted((ROOT / "idl").glob("*.idl")))
    assert found == set(model.types_by_hand) | {"libxl_domid", "libxl_uuid"}


HEADERS = sorted((ROOT / "src/include").glob("*.h"))


def public_names(path: Path, name: str) -> set[str]:
    """Returns the public names of a class: the names in its body and in its __slots__ that do not start
    with `_`."""
    tree = ast.parse(path.read_text())
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    names: set[str] = set()
    for node in found.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            names |= set(ast.literal_eval(node.value))
    return {n for n in names if not n.startswith("_")}


def test_names_of_the_classes_in_python() -> None:
    context = public_names(PACKAGE / "_base.py", "BaseContext")
    context |= public_names(PACKAGE / "_loop_context.py", "LoopContext")
    context |= public_names(PACKAGE / "context.py", "Context")
    assert context - check_python.CONTEXT == set()
    domain = public_names(PACKAGE / "domain.py", "Domain") | public_names(PACKAGE / "_handle.py", "Handle")
    assert domain - check_python.DOMAIN == set()


def test_classes_of_the_package() -> None:
    text = (PACKAGE / "__init__.py").read_text()
    found = {n for n in re.findall(r" as (\w+)", text) if n[0].isupper()}
    assert found - check_python.CLASSES == set()
