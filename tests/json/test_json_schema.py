# SPDX-License-Identifier: LGPL-2.1-or-later
"""The JSON Schema accepts what from_json accepts, and refuses wrong documents as far as a schema can."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from json_support import HERE, ROOT, Documents
from jsonschema import Draft202012Validator  # type: ignore[import]
from subjects import FIXTURE, OWN

SUBJECTS = {"fixture": FIXTURE, "own": OWN}

# The errors that no schema detects: invalid JSON, duplicate keys, and wrong forms of numbers and of
# hand-written types.
BEYOND = (
    "duplicate",
    "same_arm",
    "truncated",
    "empty",
    "two_documents",
    "comma",
    "single_quotes",
    "comment",
    "not_a_number",
    "leading_zero",
    "zeros",
    "raw_control",
    "bad_utf8",
    "overlong",
    "surrogate",
    "half_a_character",
    "wrong_type_by_hand_in",
    "negative_size",
    "fraction",
    "exponent",
    "octets_too_few",
)
WRONG = [p for p in sorted((HERE / "wrong").glob("*.json")) if not p.stem.startswith(BEYOND)]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made = {}
    for name, subject in SUBJECTS.items():
        out = tmp_path_factory.mktemp(name)
        command = [
            sys.executable,
            "-m",
            "gen",
            *map(str, subject.files),
            "--out",
            str(out),
            "--only",
            "schema",
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        made[name] = json.loads((out / "schema/aioxen.schema.json").read_text())
    return made


def validator(schema: Any, kind: str) -> Draft202012Validator:
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{kind}"})


@pytest.mark.parametrize("name", ["fixture", "own"])
def test_the_schema_is_valid(schemas: dict[str, Any], name: str) -> None:
    Draft202012Validator.check_schema(schemas[name])


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        pytest.param(n, s, id=f"{n}-{s.name}")
        for n, u in (("fixture", FIXTURE), ("own", OWN))
        for s in u.structs
        if not s.hidden
    ],
)
def test_valid_documents_are_accepted(schemas: dict[str, Any], name: str, struct: Any) -> None:
    check = validator(schemas[name], struct.name)

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(Documents(SUBJECTS[name]).of(struct))
    def accepted(pair: tuple[Any, Any]) -> None:
        check.validate(pair[0])
        check.validate(pair[1])

    accepted()


def test_hidden_types_are_not_in_the_schema(schemas: dict[str, Any]) -> None:
    assert "machine" in schemas["fixture"]["$defs"]
    assert "secret" not in schemas["fixture"]["$defs"]


@pytest.mark.parametrize("path", WRONG, ids=[p.stem for p in WRONG])
def test_wrong_documents_are_refused(schemas: dict[str, Any], path: Path) -> None:
    first, document = path.read_text().split("\n", 1)
    kind = first.removeprefix("#: ").split(": ")[0]
    assert not validator(schemas["fixture"], kind).is_valid(json.loads(document))
