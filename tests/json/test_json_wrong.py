# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wrong documents are refused with exactly the message in their first line, `#: TYPE: PATH: MESSAGE`.

The driver runs under the sanitizers, so a leak makes the module's last test fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from json_support import HERE, Driver, build
from subjects import FIXTURE

FILES = sorted((HERE / "wrong").glob("*.json"))
DEEPEST = 64
LONGEST = 16 << 20


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    made = Driver(build(FIXTURE, tmp_path_factory.mktemp("wrong")))
    yield made
    assert made.end() == ""


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_a_wrong_document_has_its_message(driver: Driver, path: Path) -> None:
    first, document = path.read_bytes().split(b"\n", 1)
    kind, message = first.decode().removeprefix("#: ").split(": ", 1)
    assert driver.ask(kind, document.strip().replace(b"\n", b" ")) == f"! {message}"


def test_nesting_is_limited(driver: Driver) -> None:
    assert driver.ask("machine", b'{"name": ' + b"[" * 1_000_000).endswith(": nesting too deep")
    objects = b'{"place":' * 1_000_000
    assert driver.ask("machine", objects).startswith("! place.place.place")


def test_length_is_limited(driver: Driver) -> None:
    name = b'{"name": "%s"}'
    fits = b"x" * (LONGEST - len(name) + 2)
    assert driver.ask("machine", name % fits).startswith('= {"name":"xxx')
    assert driver.ask("machine", name % (fits + b"x")) == f"! longer than {LONGEST} octets"


def test_a_number_of_a_million_digits_is_refused(driver: Driver) -> None:
    assert driver.ask("plain", b'{"b": ' + b"9" * 1_000_000 + b"}") == "! b: the number does not fit 64 bits"


def test_a_long_path_is_complete(driver: Driver) -> None:
    """The path in the message is complete, for errors that json-c finds and for those that json-c accepts and
    the library's second pass finds."""
    for inside in '{"b": 1, "b": 2}', "'":
        way = "place." * 60
        answer = driver.ask("machine", ('{"place": ' * 60 + inside).encode())
        assert answer.startswith(f"! {way}b: given" if "b" in inside else f"! {way[:-1]}: ")


def test_damage_at_every_octet_is_handled(driver: Driver) -> None:
    """A shortened document is refused. A document with one changed octet is refused or read. Neither
    makes the driver crash."""
    whole = (
        b'{"name":"a\\u00e9","disks":[{"path":"p","backend_type.file":{"aliases":["x",null]}}],"weight":3}'
    )
    for end in range(len(whole)):
        assert driver.ask("machine", whole[:end])[0] == "!"
    for at in range(len(whole)):
        for octet in b'"\\{[,:\xff0':
            answer = driver.ask("machine", whole[:at] + bytes([octet]) + whole[at + 1 :])
            assert answer[0] in "!="
