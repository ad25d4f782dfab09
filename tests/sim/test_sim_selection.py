# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of tests for the real Xen names files and tests that exist."""

import re
import tomllib
from typing import Any

import pytest
from sim_support import ROOT

LISTED: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "tests/on_xen.toml").read_text())


@pytest.mark.parametrize("file", LISTED)
def test_listed_tests_exist(file: str) -> None:
    text = (ROOT / file).read_text()
    existing = set(re.findall(r"^(?:async )?def (test_\w+)|\bBODY\((\w+)", text, re.MULTILINE))
    names = {name for pair in existing for name in pair if name}
    assert LISTED[file]["reason"]
    assert set(LISTED[file].get("tests", [])) <= names
