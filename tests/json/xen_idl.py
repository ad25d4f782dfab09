#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""xen_idl.py FILE...: checks Xen's own type files with the generator, both compilers and the JSON round trip.

`make test-xen-idl IDL="FILE..."` runs it. The files are libxl_types.idl and libxl_types_internal.idl from the
source of a Xen release. They are not part of this project.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_support import HERE, ROOT, Documents, Driver, Subject, build, canonical, run

from gen.model import Mistake

XEN = HERE / "xen"
WORDS = st.text("abc=<é", max_size=5)


def octets(size: int) -> tuple[st.SearchStrategy[str], str]:
    return st.binary(min_size=size, max_size=size).map(bytes.hex), "00" * size


BY_HAND: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "libxl_defbool": (st.booleans() | st.just("<default>"), "<default>"),
    "libxl_uuid": octets(16),
    "libxl_ms_vm_genid": octets(16),
    "libxl_mac": octets(6),
    "libxl_hwcap": octets(32),
    "libxl_bitmap": (st.binary(max_size=3).map(bytes.hex), ""),
    "libxl_string_list": (st.lists(WORDS, max_size=3), []),
    "libxl_key_value_list": (st.lists(WORDS, max_size=3), []),
    "libxl_cpuid_policy_list": (WORDS, ""),
}


def constants() -> dict[str, int]:
    """Returns the constants that xen/libxl.h defines."""
    text = (XEN / "libxl.h").read_text()
    found = {name: int(value) for name, value in re.findall(r"#define (\w+) +(-1|\d+)\n", text)}
    for name, bits in re.findall(r"#define (\w+) +\(~\(uint(\d+)_t\)0\)", text):
        found[name] = (1 << int(bits)) - 1
    return found


def check(driver: Driver, subject: Subject, kind: Any) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(Documents(subject).of(kind))
    def values(pair: tuple[Any, Any]) -> None:
        answer = driver.ask(kind.name, json.dumps(pair[0], ensure_ascii=False).encode())
        assert answer == f"= {canonical(pair[1])}"

    values()


def subject_of(names: list[str]) -> Subject:
    subject = Subject(
        files=[Path(name).resolve() for name in names],
        folders=[XEN],
        sources=[XEN / "by_hand.c", ROOT / "src/core/escape.c"],
        by_hand=BY_HAND,
        constants=constants(),
    )
    if not any(t.c_name == "libxl_error" for t in subject.model.types):
        subject.options.append("-DXEN_WITHOUT_ERRORS")
    if any(e.check_default_fn == "libxl__timer_mode_is_default" for e in subject.model.enumerations):
        subject.options.append("-DXEN_WITH_TIMER_MODE")
    return subject


def main() -> int:
    if len(sys.argv) < 2:
        print(
            'name the files: make test-xen-idl IDL="libxl_types.idl libxl_types_internal.idl"',
            file=sys.stderr,
        )
        return 2
    try:
        subject = subject_of(sys.argv[1:])
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as out:
        run(sys.executable, "-m", "gen", *subject.files, "--out", out, cwd=ROOT)
        for module in Path(out).rglob("*.py"):
            compile(module.read_text(), module, "exec")
    for compiler in "gcc", "clang":
        with tempfile.TemporaryDirectory() as out:
            driver = Driver(build(subject, Path(out), compiler))
            for kind in subject.structs if compiler == "gcc" else []:
                check(driver, subject, kind)
            output = driver.end()
            assert not output, output
    enumerations = subject.model.enumerations
    values = sum(len(e.values) for e in enumerations)
    print(f"{len(subject.structs)} structs, {len(enumerations)} enumerations of {values} values: good")
    return 0


if __name__ == "__main__":
    sys.exit(main())
