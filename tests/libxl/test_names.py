# SPDX-License-Identifier: LGPL-2.1-or-later
"""The declarations that libxl has are the same in this library. The tests compile C files with Debian's
headers and with this library's headers.

docs/libxl.md lists the intended differences with their reasons. If a row of this page names no difference, a
test fails.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import functions
import pytest
from declarations import HEADERS, Declarations, include, preprocess, read

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
OURS = [ROOT / "src/include", BUILD / "gen/include"]
DOCUMENT = (ROOT / "docs/libxl.md").read_text()
PROGRAMS = [
    ROOT / "tests/c/support" / name
    for name in (
        "libxl_calls.c",
        "libxl_config_calls.c",
        "libxl_running_calls.c",
        "libxl_userdata_calls.c",
        "libxl_enumeration_calls.c",
        "libxl_host_calls.c",
    )
]
VERSIONS = [None, 0x040200, 0x040300, 0x040400, 0x040500, 0x040700, 0x040800, 0x041300, 0x041400]

pytestmark = pytest.mark.skipif(
    not Path("/usr/include/libxl.h").exists(), reason="libxl.h is not installed (libxen-dev)"
)


@functools.cache
def declared(ours: bool) -> Declarations:
    return read(OURS if ours else [])


def table(title: str) -> dict[str, str]:
    """Returns the rows of a section's table. The keys are the names, and the values are the reasons."""
    text = DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {name.strip("`"): rest[-1] for names, *rest in rows for name in names.split(", ")}


def named(name: str, rows: dict[str, str]) -> str | None:
    """Returns the row that covers this name. `T` in a row stands for any type."""
    for row in rows:
        if re.fullmatch(re.escape(row).replace("_T_", r"_\w+_"), name):
            return row
    return None


# Prototypes


def differs(names: list[str], folder: Path) -> set[str]:
    """Returns the functions that have one type in this library's headers and another type in
    Debian's headers."""
    lines = [f"#include <{header}>" for header in HEADERS] + ["#include <stdio.h>", "int main(void)", "{"]
    for name in names:
        theirs = declared(False).functions[name].replace("@", "(*theirs)", 1)
        same = f"__builtin_types_compatible_p(__typeof__(&{name}), __typeof__(theirs))"
        lines.append(f'{{ {theirs}; if (!{same}) puts("{name}"); }}')
    return set(run([*lines, "return 0; }"], OURS, folder))


def run(lines: list[str], includes: list[Path], folder: Path) -> list[str]:
    """Compiles these lines as a C file and runs the program. Returns the program's output."""
    program = folder / "program"
    compiled = subprocess.run(
        ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-w", *include(includes), "-x", "c", "-", "-o", program],
        input="\n".join(lines),
        capture_output=True,
        text=True,
    )
    assert compiled.returncode == 0, compiled.stderr
    return subprocess.check_output([program], text=True).splitlines()


def test_prototypes(tmp_path: Path) -> None:
    rows = table("Prototypes")
    common = sorted(declared(True).functions.keys() & declared(False).functions.keys())
    assert len(common) > 70
    found = differs(common, tmp_path)
    assert {name for name in found if named(name, rows) is None} == set()
    assert {row for row in rows if all(named(name, rows) != row for name in found)} == set()


# Sizes, offsets and values


def probes(kinds: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the values that are compared. Each value has a description and a C expression."""
    theirs, ours = declared(False), declared(True)
    for kind in kinds:
        yield f"sizeof {kind}", f"sizeof({kind})"
        for path in sorted(theirs.members[kind] & ours.members[kind]):
            yield f"{kind}.{path}", f"offsetof({kind}, {path})"
            if not path.startswith("u"):
                yield f"sizeof {kind}.{path}", f"sizeof((({kind} *)0)->{path})"
    for name in sorted((theirs.enumerators & ours.enumerators) | (theirs.numbers & ours.numbers)):
        yield name, name


def measured(includes: list[Path], asked: list[tuple[str, str]], folder: Path) -> dict[str, str]:
    lines = [f"#include <{header}>" for header in HEADERS]
    lines += ["#include <stddef.h>", "#include <stdio.h>", "int main(void)", "{"]
    lines += [f'printf("{what}=%lld\\n", (long long)({expression}));' for what, expression in asked]
    texts = sorted(declared(True).texts & declared(False).texts)
    lines += [f'printf("{name}=%s\\n", {name});' for name in texts]
    return dict(line.split("=", 1) for line in run([*lines, "return 0; }"], includes, folder))


def test_layouts_and_values(tmp_path: Path) -> None:
    partial, rows = table("Types with more members"), table("Values")
    theirs, ours = declared(False), declared(True)
    common = theirs.members.keys() & ours.members.keys()
    structs = sorted(t for t in common if t.startswith("libxl_") and theirs.members[t])
    for kind in structs:
        assert (theirs.members[kind] != ours.members[kind]) == (kind in partial), kind
    whole = [kind for kind in structs if kind not in partial]
    assert {"libxl_asyncop_how", "libxl_asyncprogress_how", "libxl_uuid", "libxl_ev_link"} <= set(whole)
    # In a type to which this library adds members, libxl's members have the same places as in libxl.
    for kind in partial:
        assert theirs.members[kind] < ours.members[kind], kind
    asked = [probe for probe in probes(structs) if probe[0] not in [f"sizeof {kind}" for kind in partial]]
    assert len(asked) > 100
    before, now = measured([], asked, tmp_path), measured(OURS, asked, tmp_path)
    assert {what for what in before if before[what] != now[what]} == set(rows)


# What is missing


def missing() -> set[str]:
    """Returns the public functions and types of libxl's headers that this library does not have."""
    theirs, ours = declared(False), declared(True)
    lacks = theirs.functions.keys() - ours.functions.keys()
    lacks |= theirs.members.keys() - ours.members.keys()
    return {name for name in lacks if re.match(r"libxl_(?!_)", name)}


def test_what_is_missing() -> None:
    """The page lists each function and type that is missing, and nothing else."""
    rows = table("Functions and types that are missing")
    found = missing()
    assert {name for name in found if named(name, rows) is None} == set()
    assert {row for row in rows if all(named(name, rows) != row for name in found)} == set()


# The macros LIBXL_HAVE_..., which say what the library has


def test_what_the_macros_say() -> None:
    """Each macro of libxl is defined here, or the page lists it. A macro whose name contains the name of a
    function is defined here exactly if the function exists here."""
    theirs, ours = declared(False), declared(True)
    macros = {name for name in theirs.numbers if name.startswith("LIBXL_HAVE_")}
    assert len(macros) > 120
    assert macros - ours.numbers == set(table("Macros that are not defined"))
    functions = {name: name.replace("LIBXL_HAVE_", "LIBXL_").lower() for name in macros}
    named_so = {name for name, function in functions.items() if function in theirs.functions}
    assert len(named_so) > 5
    assert {name for name in named_so if functions[name] in ours.functions} == named_so & ours.numbers


@pytest.mark.parametrize("version", VERSIONS[1:], ids=hex)
def test_the_macros_of_a_version(version: int) -> None:
    """For an older version of the interface, the library leaves out the same macros as libxl, with one
    exception: libxl's macro says that libxl_uuid_copy has the parameter ctx in versions in which the function
    does not have it."""
    chosen = f"-DLIBXL_API_VERSION={version:#x}"
    theirs, ours = (re.findall(r"#define (LIBXL_HAVE_\w+)", preprocess(f, "-dM", chosen)) for f in ([], OURS))
    allowed = set(table("Macros that are not defined"))
    wrong = {"LIBXL_HAVE_UUID_COPY_CTX_PARAM"} if version < 0x040500 else set()
    assert set(theirs) - set(ours) == allowed | wrong
    assert declared(False).numbers & set(ours) <= set(theirs)


def test_the_page_of_functions() -> None:
    """docs/libxl-functions.md is the output of functions.py."""
    assert (ROOT / "docs/libxl-functions.md").read_text() == functions.page()


# A program


def test_the_versions_are_those_that_libxl_accepts() -> None:
    """Debian's libxl.h refuses any other version."""
    text = Path("/usr/include/libxl.h").read_text()
    check = re.search(r"#if (LIBXL_API_VERSION != .*?)#error Unknown LIBXL_API_VERSION", text, re.S)
    assert check
    accepted = [int(number, 16) for number in re.findall(r"!= (0x\w+)", check[1])]
    assert [None, *accepted] == VERSIONS


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"{version:#08x}" if version else "none")
@pytest.mark.parametrize("ours", [False, True], ids=["libxl", "aioxen"])
def test_a_program_for_libxl_compiles(ours: bool, version: int | None) -> None:
    defined = [f"-DLIBXL_API_VERSION={version:#08x}"] if version else []
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-error=address"]
    command = ["gcc", *flags, *defined, *include(OURS if ours else []), "-fsyntax-only", *map(str, PROGRAMS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_program_calls_every_function() -> None:
    own = ""
    for program in PROGRAMS:
        text = subprocess.check_output(["gcc", "-E", *include(OURS), program], text=True)
        # The parts are alternately a file's name and the file's lines.
        parts = re.split(r'^# \d+ "([^"]*)".*\n', text, flags=re.M)
        own += "".join(
            lines for name, lines in zip(parts[1::2], parts[2::2], strict=True) if name == str(program)
        )
    common = declared(True).functions.keys() & declared(False).functions.keys()
    assert {name for name in common if not re.search(rf"\b{name}\b", own)} == set()
