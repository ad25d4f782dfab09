# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wrong documents, each refused with exactly the message in its first line, `#: TYPE: PATH: MESSAGE`.

The driver runs under the sanitizers: a document that leaves memory behind fails the last test.
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
def test_wrong(driver: Driver, path: Path) -> None:
    first, document = path.read_bytes().split(b"\n", 1)
    kind, message = first.decode().removeprefix("#: ").split(": ", 1)
    assert driver.ask(kind, document.strip().replace(b"\n", b" ")) == f"! {message}"


def test_deep(driver: Driver) -> None:
    assert driver.ask("machine", b'{"name": ' + b"[" * 1_000_000).endswith(": nesting too deep")
    objects = b'{"place":' * 1_000_000
    assert driver.ask("machine", objects).startswith("! place.place.place")


def test_huge(driver: Driver) -> None:
    name = b'{"name": "%s"}'
    fits = b"x" * (LONGEST - len(name) + 2)
    assert driver.ask("machine", name % fits).startswith('= {"name":"xxx')
    assert driver.ask("machine", name % (fits + b"x")) == f"! longer than {LONGEST} octets"


def test_huge_number(driver: Driver) -> None:
    assert driver.ask("plain", b'{"b": ' + b"9" * 1_000_000 + b"}") == "! b: the number does not fit 64 bits"


def test_a_long_path_is_whole(driver: Driver) -> None:
    """Also what json-c passes over, whose path is found by a second look."""
    for inside in '{"b": 1, "b": 2}', "'":
        way = "place." * 60
        answer = driver.ask("machine", ('{"place": ' * 60 + inside).encode())
        assert answer.startswith(f"! {way}b: given" if "b" in inside else f"! {way[:-1]}: ")


def test_what_is_wrong_at_every_octet(driver: Driver) -> None:
    """A document that is cut off anywhere, or has an octet that does not belong, is refused or well read."""
    whole = (
        b'{"name":"a\\u00e9","disks":[{"path":"p","backend_type.file":{"aliases":["x",null]}}],"weight":3}'
    )
    for end in range(len(whole)):
        assert driver.ask("machine", whole[:end])[0] == "!"
    for at in range(len(whole)):
        for octet in b'"\\{[,:\xff0':
            answer = driver.ask("machine", whole[:at] + bytes([octet]) + whole[at + 1 :])
            assert answer[0] in "!="
