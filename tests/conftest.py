# SPDX-License-Identifier: LGPL-2.1-or-later
"""The option --on-xen, which selects the tests that on_xen.toml lists. tests/run passes the option on the
real Xen."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--on-xen", action="store_true", help="only the tests that tests/on_xen.toml lists")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves files out that on_xen.toml does not list. They may import packages that the machine with the
    real Xen does not have."""
    if not config.getoption("on_xen") or not collection_path.name.startswith("test_"):
        return None
    file = collection_path.relative_to(HERE.parent).as_posix()
    return None if file == "tests/c/test_c.py" or file in listed_files() else True


def listed_files() -> dict[str, dict[str, Any]]:
    return tomllib.loads((HERE / "on_xen.toml").read_text())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("on_xen"):
        return
    listed = listed_files()
    kept = [item for item in items if is_listed(listed, item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def is_listed(listed: dict[str, dict[str, Any]], item: pytest.Item) -> bool:
    """Returns whether on_xen.toml lists the test. An entry has the test's file alone, or the test's file
    and name."""
    file, name = item.path.relative_to(HERE.parent).as_posix(), item.name.partition("[")[0]
    if file == "tests/c/test_c.py" and isinstance(item, pytest.Function):
        params = item.callspec.params
        file, name = f"tests/c/{params['program']}.c", params["name"].partition("[")[0]
    return file in listed and name in listed[file].get("tests", [name])
