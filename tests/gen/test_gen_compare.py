# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator reports changes that break users of a release, by file and line. It reports no
other change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gen_support import FIXTURE, HERE, generate

ABI = "an ABI change: raise SOVERSION in src/Makefile.inc"

# The changes under test. Each row has a file, the old text, the new text, and the message without its place.
# If the message is None, the change is compatible.
CHANGES = [
    ("types.idl", '    (7, "DARK_BLUE"', '    (8, "DARK_BLUE"',
     "libxl_colour.LIBXL_COLOUR_DARK_BLUE: the number was 7, and is 8"),
    ("events.idl", 'aliases=["gone"]', 'aliases=["away"]', "event left: its name gone is gone"),
    ("events.idl", '"left"', '"went"', "event left: is gone: went seems to be its new name"),
    ("types.idl", '    (0, "RED", "As fire."),\n', '    (0, "RED", "As fire."),\n    (9, "NEW", "New."),\n',
     None),
    ("types.idl", '    ("a", uint8, "One."),\n', '    ("a", uint16, "One."),\n',
     "libxl_plain.a: the type was uint8_t, and is uint16_t"),
    ("types.idl", '    ("a", uint8, "One."),\n', "", "libxl_plain.a: is gone"),
    ("types.idl", '    ("a", uint8, "One."),\n', '    ("a", uint8, "One."),\n    ("c", uint8, "New."),\n',
     f"libxl_plain.c: is new, so the struct's layout changes: {ABI}"),
    ("types.idl", '    ("a", uint8, "One."),\n    ("b", integer, "Another."),\n',
     '    ("b", integer, "Another."),\n    ("a", uint8, "One."),\n',
     f"libxl_plain: the order of the fields has changed: {ABI}"),
    ("events.idl", '    Event(2, "left", []', '    Event(2, "left", [("why", uint64, "Why.")]',
     f"libxl_event.u.left.why: is new, so the struct's layout changes: {ABI}"),
    ("events.idl", '"What was said.")', '"What was said."), ("to", string, "To.")',
     f"libxl_event.u.said.to: is new, so the struct's layout changes: {ABI}"),
    ("types.idl", '"max": 65535', '"max": 1000',
     "libxl_machine.weight: max was 65535, and is 1000: values that were good are refused"),
    ("types.idl", '{"init_val": 256, "min": 1, "max": 65535}', '{"init_val": 256}', None),
    ("types.idl", '("row", uint8, "Row.")', '("row", uint32, "Row.")',
     "libxl_machine.place.row: the type was uint8_t, and is uint32_t"),
    ("types.idl", '("sea", string, "Which.")', '("sea", uint64, "Which.")',
     "libxl_disk.backend.file.inner.dark_blue.sea: the type was char *, and is uint64_t"),
    ("types.idl", '"num_cores"', '"count_cores"',
     "libxl_machine.cores: the name of the length was num_cores, and is count_cores"),
    ("types.idl", 'doc="A bare union."', 'doc="Said otherwise."', None),
    ("errors.idl", '(-3, "FAIL"', '(-33, "FAIL"', "ERROR_FAIL: the number was -3, and is -33"),
    ("errors.idl", 'common=["NOMEM", ', 'common=["NOMEM", "ASYNC_INPROGRESS", ',
     "ERROR_ASYNC_INPROGRESS: every operation can give it now"),
    ("events.idl", 'Event(2, "left"', 'Event(5, "left"', "event left: the number was 2, and is 5"),
    ("events.idl", "\n])", '\n    Event(9, "new", [], doc="New.", since="0.3"),\n])', None),
    ("events.idl", "\n])",
     '\n    Event(9, "new", [(n, uint64, "N.") for n in "abc"], doc="New.", since="0.3"),\n])',
     f"libxl_event: the size was 64 octets, and is 80: {ABI}"),
    ("operations.idl", 'Operation("nothing"', 'Operation("idle"',
     "libxl_nothing: is gone: libxl_idle seems to be its new name"),
    ("operations.idl", '        ("colour", colour, "An enumeration."),\n', "",
     "libxl_machine_create.colour: is gone"),
    ("operations.idl", '("count", uint8,', '("how", uint8, "How."), ("count", uint8,',
     "libxl_machine_create.how: is a new input"),
    ("operations.idl", 'python="create"', 'python="make"',
     "libxl_machine_create: the name in Python was create, and is make"),
    ("operations.idl", 'errors=["INVAL", "FAIL"],\n', 'errors=["FAIL"],\n', None),
    ("operations.idl", '("name", string, "Which.")', '("label", string, "Which.")', None),
    ("operations.idl", "    hidden=True, ", "    ", None),
    ("operations.idl", 'it does nothing.", ', 'it does nothing.", hidden=True, ', "libxl_nothing: is gone"),
    ("operations.idl", 'Phase("order"', 'Phase("request"',
     "libxl_machine_create.phases.order: is gone: request seems to be its new name"),
    ("operations.idl", 'Phase("order"', 'Phase("new", "New."), Phase("order"', None),
    ("operations.idl", "limit=90.5", "limit=9", None),
    ("operations.idl", 'it does nothing.", speed="instant"',
     'it does nothing.", phases=[Phase("a", "It is done.")]',
     "libxl_nothing: was instant, and is slow"),
    ("functions.idl", '["begin", "end"]', '["begin"]', "libxl_end: is gone"),
    ("functions.idl", '["begin", "end"]', '["begin", "end", "other"]', None),
]  # fmt: skip


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("released")
    assert generate(out, *FIXTURE, options=("--only", "dump")).returncode == 0
    return out / "idl.json"


@pytest.mark.parametrize(("file", "old", "new", "message"), CHANGES)
def test_change(released: Path, tmp_path: Path, file: str, old: str, new: str, message: str | None) -> None:
    for path in FIXTURE:
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace(old, new, 1) if path.name == file else text)
    files = [tmp_path / path.name for path in FIXTURE]
    done = generate(tmp_path / "out", *files, options=("--compare", str(released)))
    told = [re.sub(r"^(.*?):(\d+): ", "", line) for line in done.stderr.splitlines()]
    assert done.returncode == (0 if message is None else 1)
    assert told == [] if message is None else message in told
    for line in done.stderr.splitlines():
        assert re.match(rf"{re.escape(str(tmp_path))}/\w+\.idl:\d+: ", line)
    assert not (tmp_path / "out").exists()


def test_the_line_is_the_changed_one(released: Path, tmp_path: Path) -> None:
    for path in FIXTURE:
        text = path.read_text().replace('("b", integer, "Another.")', '("b", uint32, "Another.")')
        (tmp_path / path.name).write_text(text)
    lines = (tmp_path / "types.idl").read_text().splitlines()
    done = generate(
        tmp_path,
        *(tmp_path / p.name for p in FIXTURE),
        options=("--compare", str(released)),
        cwd=HERE.parent.parent,
    )
    number = int(done.stderr.split(":")[1])
    assert "Another." in lines[number - 1]


def test_what_is_renamed_or_gone_is_reported_where_it_stands(released: Path, tmp_path: Path) -> None:
    for path in FIXTURE:
        text = path.read_text().replace('Operation("nothing"', 'Operation("idle"')
        text = text.replace('    ("b", integer, "Another."),\n', "")
        (tmp_path / path.name).write_text(text)
    files = [tmp_path / p.name for p in FIXTURE]
    done = generate(tmp_path / "out", *files, options=("--compare", str(released)))
    places = [line.split(": ")[0] for line in done.stderr.splitlines()]
    for file, text in ("types.idl", '("a", uint8, "One.")'), ("operations.idl", 'Operation("idle"'):
        lines = (tmp_path / file).read_text().splitlines()
        number = next(n for n, line in enumerate(lines, 1) if text in line)
        assert f"{tmp_path / file}:{number}" in places


@pytest.mark.parametrize(("soversion", "accepted"), [("1", False), ("2", True)])
def test_a_struct_may_grow_with_the_soversion(tmp_path: Path, soversion: str, accepted: bool) -> None:
    dumped = ("--only", "dump", "--soversion", "1")
    assert generate(tmp_path / "released", *FIXTURE, options=dumped).returncode == 0
    old, new = '("a", uint8, "One."),', '("a", uint8, "One."), ("c", uint8, "New."),'
    for path in FIXTURE:
        (tmp_path / path.name).write_text(path.read_text().replace(old, new, 1))
    files = [tmp_path / p.name for p in FIXTURE]
    compared = ("--compare", str(tmp_path / "released/idl.json"), "--soversion", soversion)
    done = generate(tmp_path / "out", *files, options=compared)
    assert (done.returncode == 0) == accepted
    assert (ABI in done.stderr) != accepted


@pytest.mark.parametrize("text", ["{", "{}", "[]", '"types"', '{"types": {}, "errors": {}}'])
def test_what_is_no_dump(tmp_path: Path, text: str) -> None:
    (tmp_path / "no.json").write_text(text)
    done = generate(tmp_path / "out", *FIXTURE, options=("--compare", str(tmp_path / "no.json")))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path}/no.json:1: no dump of an IDL: ")


def test_the_project_s_own(tmp_path: Path) -> None:
    makefile = (HERE.parents[1] / "src/Makefile.inc").read_text()
    soversion = re.search(r"^SOVERSION := (\d+)$", makefile, re.M)
    assert soversion
    options = ("--compare", "idl/released.json", "--soversion", soversion[1])
    done = generate(tmp_path / "out", options=options)
    assert (done.returncode, done.stderr) == (0, "")
