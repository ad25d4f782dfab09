# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types under test. They are the types of the generator's fixture, which has every kind of type, and
the project's own types."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from json_support import ROOT, TEXT, Subject

RUNTIME = ROOT / "tests/gen/runtime"

HEX = st.binary(min_size=16, max_size=16).map(bytes.hex)

FIXTURE = Subject(
    files=sorted((ROOT / "tests/gen/fixture").glob("*.idl")),
    folders=[RUNTIME],
    sources=[RUNTIME / "by_hand.c", ROOT / "src/core/escape.c"],
    by_hand={
        "libxl_uuid": (HEX, "0" * 32),
        "libxl_bitmap": ((st.binary(max_size=4) | st.just(b"\0\0")).map(bytes.hex), ""),
        "libxl_mac": (st.binary(min_size=6, max_size=6).map(bytes.hex), "0" * 12),
        "libxl_string_list": (st.lists(TEXT, max_size=3), []),
        "libxl_key_value_list": (st.lists(TEXT, max_size=3), []),
        "libxl_by_hand": (st.none() | TEXT, None),
    },
    left_out={"libxl_bitmap": lambda document: not document.strip("0")},
    constants={"LIBXL_MEMKB_DEFAULT": (1 << 64) - 1},
)


def ordered(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """Returns the members in the order in which the library writes them. Newer releases of Hypothesis shuffle
    the members of fixed_dictionaries."""
    return {name: document[name] for name in names if name in document}


BITS = st.text("01xks", min_size=32, max_size=32)
CPUID = st.fixed_dictionaries(
    {
        "cpuid": st.lists(
            st.fixed_dictionaries(
                {"leaf": st.integers(0, 2**32 - 1)},
                optional={"subleaf": st.integers(0, 9), "eax": BITS, "edx": BITS},
            ).map(lambda leaf: ordered(leaf, "leaf", "subleaf", "eax", "edx")),
            max_size=2,
        ),
        "msr": st.lists(
            st.fixed_dictionaries(
                {"index": st.integers(0, 2**32 - 1), "policy": st.text("01xks", min_size=64, max_size=64)}
            ).map(lambda msr: ordered(msr, "index", "policy")),
            max_size=1,
        ),
    }
).map(lambda policy: ordered(policy, "cpuid", "msr"))

OWN = Subject(
    files=sorted((ROOT / "idl").glob("*.idl")),
    folders=[ROOT / "src/include"],
    sources=[
        *(ROOT / "src/core" / name for name in ("log.c", "escape.c")),
        *sorted((ROOT / "src/types").glob("*.c")),
    ],
    by_hand={
        "libxl_uuid": (st.uuids().map(str), "00000000-0000-0000-0000-000000000000"),
        "libxl_defbool": (st.sampled_from(["True", "False", "<default>"]), "<default>"),
        "libxl_bitmap": (st.sets(st.integers(0, 200), max_size=4).map(sorted), []),
        "libxl_blob": (st.binary(max_size=8).map(bytes.hex), ""),
        "libxl_string_list": (st.lists(TEXT, max_size=3), []),
        "libxl_key_value_list": (st.dictionaries(TEXT, st.none() | TEXT, max_size=3), {}),
        "libxl_mac": (
            st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":")),
            "00:00:00:00:00:00",
        ),
        "libxl_ms_vm_genid": (st.lists(st.integers(0, 255), min_size=16, max_size=16), [0] * 16),
        "libxl_hwcap": (st.lists(st.integers(0, 2**32 - 1), min_size=8, max_size=8), [0] * 8),
        "libxl_cpuid_policy_list": (CPUID, {"cpuid": [], "msr": []}),
    },
    constants={
        "LIBXL_MEMKB_DEFAULT": (1 << 64) - 1,
        "LIBXL_INVALID_GFN": (1 << 64) - 1,
        "LIBXL_MAX_GRANT_DEFAULT": (1 << 32) - 1,
    },
)
