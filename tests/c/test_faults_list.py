# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/libxl-faults.md names tests: they exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.findall(r"`(c|json|model|differential|gen):([^`]+)`", (ROOT / "docs/libxl-faults.md").read_text())


def in_file(path: Path, word: str) -> bool:
    return re.search(rf"\b{word}\b", path.read_text()) is not None


def exists(kind: str, name: str) -> bool:
    if kind == "c":
        program, _, test = name.rpartition(":")
        return in_file(ROOT / f"tests/c/{program}.c", rf"BODY\({test}|cmocka_unit_test\({test}")
    if kind == "differential":
        return in_file(ROOT / "tests/differential/sequence.c", name)
    if kind == "model":
        return any(in_file(path, name) for path in (ROOT / "tests/model").glob("*.p*"))
    if kind == "gen":
        return (ROOT / f"tests/gen/wrong/{name}.idl").exists()
    return (ROOT / "tests/json" / name).exists()


@pytest.mark.parametrize(("kind", "name"), NAMED, ids=[f"{kind}:{name}" for kind, name in NAMED])
def test_a_fault_s_test_exists(kind: str, name: str) -> None:
    assert exists(kind, name)
