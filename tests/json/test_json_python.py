# SPDX-License-Identifier: LGPL-2.1-or-later
"""For every type, to_json and from_json in Python give the same text and errors as the C functions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import aioxen
import pytest
from aioxen._json import FORMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_support import ROOT, Documents, Driver, build, canonical
from subjects import OWN

from gen import model as m
from gen.json_forms import members
from gen.load import load
from gen.python.names import Names, camel

KINDS = [
    pytest.param(s, id=s.name)
    for s in OWN.structs
    if getattr(aioxen.types, camel(s.name or ""), None) in FORMS
]


# The name of a C type. Python leaves out fields of this type, so they keep their initial value.
CPUID = "libxl_cpuid_policy_list"
INITIAL = OWN.by_hand[CPUID][1]
IN_PYTHON = dataclasses.replace(OWN, by_hand={**OWN.by_hand, CPUID: (st.just(INITIAL), INITIAL)})


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    made = Driver(build(OWN, tmp_path_factory.mktemp("own")))
    yield made
    assert made.end() == ""


def answer(kind: Any, document: str) -> str:
    """Reads and writes a document in Python. Returns the result in the form of the driver's answers."""
    try:
        return f"= {aioxen.to_json(aioxen.from_json(kind, document))}"
    except aioxen.InvalidError as error:
        return f"! {error}"


@pytest.mark.parametrize("struct", KINDS)
def test_values(driver: Driver, struct: Any) -> None:
    kind = getattr(aioxen.types, camel(struct.name))

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(Documents(IN_PYTHON).of(struct), st.booleans())
    def check(pair: tuple[Any, Any], escaped: bool) -> None:
        document = json.dumps(pair[0], ensure_ascii=escaped)
        assert answer(kind, document) == driver.ask(struct.name, document.encode())
        value = aioxen.from_json(kind, document)
        # The documents are compared and not the values, because "" and None have the same text in an arm of a
        # union of a struct that the library fills.
        assert aioxen.to_json(aioxen.from_json(kind, aioxen.to_json(value))) == aioxen.to_json(value)
        assert aioxen.to_json(value) == canonical(pair[1])

    check()


@pytest.mark.parametrize("struct", KINDS)
def test_all_values(struct: Any) -> None:
    """With all=True no field is left out, and the document is read back as the same value."""
    kind = getattr(aioxen.types, camel(struct.name))

    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
    @given(Documents(IN_PYTHON).of(struct))
    def check(pair: tuple[Any, Any]) -> None:
        value = aioxen.from_json(kind, json.dumps(pair[0]))
        text = aioxen.to_json(value, all=True)
        written = {name.split(".")[0] for name in json.loads(text)}
        fields = [f.kind.keyvar if isinstance(f.kind, m.KeyedUnion) else f for f, _ in members(struct)]
        assert written == {f.name for f in fields}
        assert aioxen.to_json(aioxen.from_json(kind, text)) == aioxen.to_json(value)

    check()


def test_every_dataclass_has_a_form() -> None:
    """Every dataclass has a JSON form except two kinds: events, and the parts of a struct that have no name
    in C."""
    structs = Names(load(OWN.files)).structs.items()
    parts = {getattr(aioxen.types, name) for struct, name in structs if struct.name is None}
    events = (aioxen.Event, *aioxen.Event.__subclasses__())
    made = [getattr(aioxen.types, name) for name in aioxen.types.__all__]
    assert {k for k in made if dataclasses.is_dataclass(k) and k not in events} == set(FORMS) | parts


DOCUMENTS = [
    "",
    "[]",
    "{",
    '{"c_info": {"name": 7}}',
    '{"c_info": {"name": "a", "name": "b"}}',
    '{"c_info": {"uuid": "zz"}}',
    '{"c_info": {"type": "pvx"}}',
    '{"b_info": {"max_vcpus": -1}}',
    '{"b_info": {"max_memkb": 18446744073709551616}}',
    '{"b_info": {"memory": 1}}',
    '{"b_info": {"kernel": "\\u0000"}}',
    '{"b_info": {"kernel": "\\ud800"}}',
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_errors_have_the_same_message(driver: Driver, document: str) -> None:
    messages = answer(aioxen.DomainConfig, document)
    assert messages.startswith("! ")
    assert messages == driver.ask("domain_config", document.encode())


def test_a_long_message_is_shortened_in_the_middle(driver: Driver) -> None:
    """The C function shortens a long name in its message. It cuts the name between two characters, not inside
    a character."""
    refused = ": there is no such member"
    for before in "", "a", "aa", "aaa":
        for one, ends in ("é", "b"), ("€", "b"), ("😀", "bbb"), ("x", "yyyy"):
            name = before + one * 511 + ends
            answer = driver.ask("domain_config", json.dumps({name: 1}, ensure_ascii=False).encode())
            first, last = answer.removeprefix("! ").split("...")
            assert name.startswith(first)
            assert (name + refused).endswith(last)
            assert last.endswith(ends + refused)
            assert 511 - 3 - 2 * 3 <= len((first + last).encode()) <= 511 - 3
    fits = "x" * (511 - len(refused))
    answer = driver.ask("domain_config", json.dumps({fits: 1}).encode())
    assert answer == f"! {fits}{refused}"


def test_invalid_text_is_refused() -> None:
    with pytest.raises(aioxen.InvalidError, match=r"^c_info\.name: not UTF-8$"):
        aioxen.from_json(aioxen.DomainConfig, b'{"c_info": {"name": "\xff"}}')
    with pytest.raises(aioxen.InvalidError, match=r"^c_info\.name: not UTF-8$"):
        aioxen.from_json(aioxen.DomainConfig, '{"c_info": {"name": "\udcff"}}')
    with pytest.raises(aioxen.InvalidError, match="NUL"):
        aioxen.from_json(aioxen.DomainConfig, "{}\0")
    config = aioxen.DomainConfig()
    config.c_info.name = "a\udcff"
    with pytest.raises(aioxen.InvalidError, match=r"^c_info\.name: not UTF-8 at octet 1$"):
        aioxen.to_json(config)


def test_unsuitable_types_and_values_are_refused() -> None:
    with pytest.raises(TypeError, match="int has no JSON form"):
        aioxen.to_json(7)
    with pytest.raises(TypeError, match="Event has no JSON form"):
        aioxen.from_json(aioxen.Event, "{}")
    for document in 5, None, ["{}"]:
        with pytest.raises(TypeError, match=r"^text: str or bytes is expected, not "):
            aioxen.from_json(aioxen.DomainConfig, document)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^kind: type is expected, not 'DomainConfig'"):
        aioxen.from_json("DomainConfig", "{}")  # type: ignore[arg-type]
    config = aioxen.DomainConfig()
    config.b_info.max_memkb = -1
    with pytest.raises(OverflowError, match=r"DomainConfig\.b_info\.max_memkb"):
        aioxen.to_json(config)


def test_the_examples_of_the_document() -> None:
    page = (ROOT / "docs/json.md").read_text()
    document = page.split("```json\n")[1].split("\n```")[0]
    assert aioxen.to_json(aioxen.from_json(aioxen.DomainConfig, document)) == document
    messages = page.split("```\n")[2].splitlines()
    wrong: list[tuple[type, str]] = [
        (aioxen.DomainConfig, '{"b_info": {"max_vcpus": 129}}'),
        (aioxen.DomInfoList, '{"domains": [{}, {}, {"domain_type": "xen"}]}'),
        (aioxen.DomainConfig, '{"c_info": {"name": "a", "name": "b"}}'),
    ]
    for (kind, refused), message in zip(wrong, messages, strict=True):
        with pytest.raises(aioxen.InvalidError) as caught:
            aioxen.from_json(kind, refused)
        assert str(caught.value) == message
