# SPDX-License-Identifier: LGPL-2.1-or-later
"""The outputs for the fixture equal the golden files, character by character. After an intended change,
run pytest --update-golden."""

from __future__ import annotations

from pathlib import Path

import pytest
from gen_support import FIXTURE, GOLDEN, HERE, ROOT, generate

FILES = [
    "include/_libxl_types.h",
    "include/_libxl_operations.h",
    "src/_libxl_types.c",
    "src/_libxl_types_internal.h",
    "src/_libxl_types_json.c",
    "src/_libxl_types_json.h",
    "src/_libxl_operations.c",
    "src/_libxl_operations_internal.h",
    "src/_libxl_phases_machine_create.h",
    "doc/operations.md",
    "man/man3/libxl_machine_create.3",
    "man/man3/libxl_machine.3",
    "schema/aioxen.schema.json",
]


# The Python output has an IDL of its own, because the fixture has types that only C supports.
PYTHON = [*sorted((HERE / "fixture/python").glob("*.idl")), ROOT / "tests/python/shapes.idl"]
MODULES = ["types.py", "errors.py", "_convert.py", "_json.py", "_operations.py", "_native.pyi"]
# The output for libxl's functions for devices also has its own IDL, because these functions need operations.
DEVICES = sorted((HERE / "fixture/devices").glob("*.idl"))
FILES_OF_DEVICES = ["include/_libxl_devices.h", "src/_libxl_device_functions.h"]
FILES_OF_PYTHON = [f"python/aioxen/{name}" for name in MODULES] + ["manual/python.rst"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("python")
    done = generate(out, *PYTHON, options=("--only", "python", "--only", "manual"))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("devices")
    done = generate(out, *DEVICES, options=("--only", "c"))
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("name", [*FILES, *FILES_OF_PYTHON, *FILES_OF_DEVICES])
def test_golden(
    name: str, generated: Path, python: Path, devices: Path, request: pytest.FixtureRequest
) -> None:
    folders = dict.fromkeys(FILES_OF_PYTHON, python) | dict.fromkeys(FILES_OF_DEVICES, devices)
    text = (folders.get(name, generated) / name).read_text()
    golden = GOLDEN / (name.replace("/", "__") + ".txt")
    if request.config.getoption("--update-golden", default=False):
        golden.write_text(text)
    assert text == golden.read_text()


def test_every_golden_file_has_its_output() -> None:
    assert {p.name for p in GOLDEN.iterdir()} == {
        name.replace("/", "__") + ".txt" for name in FILES + FILES_OF_PYTHON + FILES_OF_DEVICES
    }


def test_lines_fit(generated: Path, devices: Path) -> None:
    paths = [generated / name for name in FILES] + [devices / name for name in FILES_OF_DEVICES]
    for path in (p for p in paths if p.suffix in (".h", ".c")):
        too_long = [line for line in path.read_text().splitlines() if len(line) > 110]
        assert not too_long, path.name


def test_the_fixture_uses_every_kind() -> None:
    text = "".join(path.read_text() for path in FIXTURE)
    kinds = ["Builtin", "Number", "UInt", "Enumeration", "Struct", "Union", "KeyedUnion", "Array"]
    for kind in [*kinds, "Errors", "Event", "Operation"]:
        assert f"{kind}(" in text


def test_order_of_files_does_not_matter(generated: Path, tmp_path: Path) -> None:
    done = generate(tmp_path, *reversed(FIXTURE), cwd=HERE)
    assert done.returncode == 0, done.stderr
    for name in FILES:
        assert (tmp_path / name).read_text() == (generated / name).read_text()
