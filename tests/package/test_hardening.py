# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library is hardened, even if the caller gives further flags. It can be built without its assertions."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest
from package_support import BUILD, LIBRARY, output


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the library with flags of the caller. The build must print no warning. Returns the
    build folder."""
    folder = tmp_path_factory.mktemp("other")
    flags = {
        "CPPFLAGS": "-DNDEBUG -U_FORTIFY_SOURCE",
        "CFLAGS": "-O1 -frecord-gcc-switches -fno-stack-protector",
    }
    # output() passes these flags as environment variables, as packagers do.
    output("make", "-s", "-j2", f"B={folder}", "lib", CC="gcc", LDFLAGS="-Wl,-z,nodelete", **flags)
    return folder


def hardened(library: Path) -> None:
    dynamic, headers = output("readelf", "-dW", library), output("readelf", "-lW", library)
    assert re.search(r"\(FLAGS_1\) .*\bNOW\b", dynamic)
    assert "GNU_RELRO" in headers
    assert not re.search(r"GNU_STACK .*E", headers)
    if platform.machine() == "x86_64":
        assert "SHSTK" in output("readelf", "-nW", library)


def test_the_library_is_hardened() -> None:
    hardened(LIBRARY)
    used = output("nm", "-D", "--undefined-only", LIBRARY)
    assert " __stack_chk_fail" in used
    assert re.search(r" __\w+_chk\b", used)


def test_every_object_has_landing_pads() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("CET is of x86-64")
    notes = output("readelf", "-nW", BUILD / "libaioxen.a").split("\nFile: ")[1:]
    assert notes
    assert [note.splitlines()[0] for note in notes if "IBT, SHSTK" not in note] == []


def test_the_caller_s_flags_count(other: Path) -> None:
    hardened(other / "libaioxen.so")
    assert re.search(r"\(FLAGS_1\) .*\bNODELETE\b", output("readelf", "-dW", other / "libaioxen.so"))
    recorded = output("readelf", "-p", ".GCC.command.line", other / "src/core/ao.o")
    # This option is given last.
    assert re.search(r"-fstack-protector-strong .*-fno-stack-protector\b", recorded)
    used = output("nm", "-D", "--undefined-only", other / "libaioxen.so")
    assert "__stack_chk_fail" not in used
    assert not re.search(r" __\w+_chk\b", used)
    assert "__assert_fail" not in used
