# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of the whole package. They concern completeness, types, imports and the version."""

from __future__ import annotations

import asyncio
import builtins
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aioxen
import pytest
from aioxen._native import lib
from aioxen._operations import ContextOperations, DomainOperations
from worldly import ROOT


def test_every_public_symbol_of_the_library_is_bound() -> None:
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    done = subprocess.run(
        ["nm", "-D", "--defined-only", str(ROOT / "build" / "libaioxen.so")], capture_output=True, text=True
    )
    exported = {name.split("@")[0] for name in done.stdout.split() if re.match("libxl_[a-z]", name)}
    assert exported
    assert exported - set(dir(lib)) == set()


def test_every_operation_is_documented_and_typed() -> None:
    for owner in ContextOperations, DomainOperations:
        methods = {name: f for name, f in vars(owner).items() if not name.startswith("_") and callable(f)}
        assert methods
        for name, method in methods.items():
            assert method.__doc__, name
            assert "limit" in inspect.signature(method).parameters, name
            assert method.__annotations__["return"].startswith(("Operation[", "UndoableOperation[")), name


def test_public_names_are_documented() -> None:
    offered = {name: getattr(aioxen, name) for name in dir(aioxen) if not name.startswith("_")}
    offered.pop("TYPE_CHECKING")
    assert {"Context", "Domain", "DomainConfig", "DomainGone", "TimedOutError", "pv"} <= set(offered)
    for name, value in offered.items():
        assert value.__doc__, name


def test_import_star_replaces_no_builtin_and_no_module() -> None:
    """The import replaces no builtin, and no name `json` or `types` of the importing program."""
    offered = {name for name in dir(aioxen) if name[0] != "_" and not inspect.ismodule(getattr(aioxen, name))}
    brought: dict[str, object] = {}
    exec("from aioxen import *", brought)
    assert set(brought) - {"__builtins__"} == offered - {"PermissionError", "TYPE_CHECKING"}
    assert set(brought) & set(dir(builtins)) == set()
    assert aioxen.PermissionError is aioxen.NoPermissionError


def test_methods_of_a_domain_are_as_documented_as_those_of_a_context() -> None:
    """The docstring of Domain's method has the same parts as that of Context's, without the domid."""
    for name, method in vars(DomainOperations).items():
        if name.startswith("_"):
            continue
        text = inspect.cleandoc(method.__doc__)
        parameters = [p for p in inspect.signature(method).parameters if p != "self"]
        paragraphs = [part.split(":")[0] for part in text.split("\n\n") if ":" in part]
        assert {*parameters, "Raises", "Cancelled"} <= set(paragraphs), name
        returned = method.__annotations__["return"]
        assert ("Returns" in paragraphs) is not returned.endswith("Operation[None]"), name
    assert "introduce: " in inspect.cleandoc(aioxen.Context.domain_create.__doc__ or "")


def test_methods_that_refuse_have_docstrings_of_their_own() -> None:
    from aioxen.operation import Operation, Undo, UndoableOperation

    for owner in Operation, UndoableOperation, Undo:
        for name, method in vars(owner).items():
            if inspect.isfunction(method) and hasattr(asyncio.Future, name) and name != "__init__":
                assert method.__doc__ or name in ("__del__",), (owner, name)
                assert method.__doc__ != getattr(asyncio.Future, name).__doc__ or not method.__doc__
    for name in "set_result", "set_exception":
        assert "RuntimeError" in inspect.getdoc(getattr(Operation, name))  # type: ignore[operator]


NEW_MODULES = """
import sys, asyncio
before = set(sys.modules)
import aioxen
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("aioxen")))
"""


def test_importing_it_imports_little_else() -> None:
    """The package imports asyncio. It does not import dataclasses and uuid, because these two imports
    would double the time of the import."""
    done = subprocess.run([sys.executable, "-c", NEW_MODULES], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["__future__", "_cffi_backend"]


HINTS = """
import typing, aioxen
kinds = [getattr(aioxen, name) for name in dir(aioxen)]
kinds = [k for k in kinds if isinstance(k, type) and issubclass(k, aioxen._fields.Fields)]
hints = {k.__name__: typing.get_type_hints(k) for k in kinds}
import uuid
assert hints["DomInfo"]["uuid"] is hints["DomainGone"]["uuid"] is uuid.UUID
assert hints["DomainCreateInfo"]["uuid"] == uuid.UUID | None
here = {"__module__": "nowhere", "__match_args__": ()}
assert typing.get_type_hints(type("Own", (aioxen.DomInfo,), here))["uuid"] is uuid.UUID
"""


def test_type_hints_can_be_resolved() -> None:
    """The module uuid is imported only when type hints are resolved."""
    subprocess.run([sys.executable, "-c", HINTS], check=True)


CONFIG = ROOT / "pyproject.toml"
ALLOWED = ROOT / "bindings" / "python" / "stubtest.allow"


@pytest.mark.parametrize(
    "tool",
    [
        ["mypy", "--strict", "-p", "aioxen", f"--config-file={CONFIG}"],
        ["mypy.stubtest", "aioxen", f"--mypy-config-file={CONFIG}", f"--allowlist={ALLOWED}"],
    ],
    ids=["mypy", "stubtest"],
)
def test_types(tool: list[str]) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("needs mypy")
    package = Path(aioxen.__file__).parent.parent
    # The types are those of the extension module. stubtest imports it, also when the pure core is tested.
    environment = {name: value for name, value in os.environ.items() if name != "AIOXEN_PURE"}
    done = subprocess.run(
        [sys.executable, "-m", *tool], cwd=package, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_library_and_the_package_have_one_version() -> None:
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("needs setuptools")
    told = subprocess.run(
        ["/usr/bin/python3", "setup.py", "--version"],
        cwd=ROOT,
        env={"AIOXEN_BUILD": "build", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert aioxen.__version__ == told.stdout.split()[-1]
    library = re.search(r"^Version: (\S+)$", (ROOT / "build" / "aioxen.pc").read_text(), re.MULTILINE)
    assert library and library[1] == told.stdout.split()[-1]
