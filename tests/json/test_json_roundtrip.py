# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every value of every type survives a round trip through JSON. The document does not contain
initial values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_support import Documents, Driver, Subject, build, canonical
from subjects import FIXTURE, OWN

SUBJECTS = {"fixture": FIXTURE, "own": OWN}
CASES = [
    pytest.param(name, kind.name, id=f"{name}-{kind.name}")
    for name, s in SUBJECTS.items()
    for kind in s.structs
]


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Driver]]:
    made = {name: Driver(build(s, tmp_path_factory.mktemp(name))) for name, s in SUBJECTS.items()}
    yield made
    for driver in made.values():
        assert driver.end() == ""


def struct(subject: Subject, name: str) -> Any:
    return next(s for s in subject.structs if s.name == name)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_values(drivers: dict[str, Driver], name: str, kind: str) -> None:
    subject = SUBJECTS[name]

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(Documents(subject).of(struct(subject, kind)), st.randoms(use_true_random=False), st.booleans())
    def check(pair: tuple[Any, Any], random: Any, escaped: bool) -> None:
        document, made = pair
        members = list(document.items())
        random.shuffle(members)
        shuffled = dict(members)
        text = json.dumps(shuffled, ensure_ascii=escaped)
        assert drivers[name].ask(kind, text.encode()) == f"= {canonical(made)}"

    check()


def test_every_struct_is_tested() -> None:
    assert {s.name for s in OWN.model.structs} == {
        kind.values[1] for kind in CASES if kind.values[0] == "own"
    }


def test_clang_compiles_it(tmp_path: Path) -> None:
    assert Driver(build(FIXTURE, tmp_path, "clang")).end() == ""
