# SPDX-License-Identifier: LGPL-2.1-or-later
"""The linker map names each public function under the version that introduced it, and no other function."""

from __future__ import annotations

import re
from pathlib import Path

from gen_support import FIXTURE, generate


def nodes(text: str) -> dict[str, set[str]]:
    """Returns the symbols of each version node. Among them, `after NODE` names the node from which the
    node inherits."""
    found = re.findall(r"^(\w[\w.@]*) \{(.*?)^\}([^;]*);", text, re.DOTALL | re.MULTILINE)
    return {
        name: set(re.findall(r"\S+(?=;)", body)) | {f"after{after}" for after in [after] if after}
        for name, body, after in found
    }


def test_each_function_is_under_its_version(tmp_path: Path) -> None:
    assert generate(tmp_path, *FIXTURE).returncode == 0
    made = nodes((tmp_path / "libaioxen.map.in").read_text())
    assert list(made) == ["AIOXEN_0.1", "AIOXEN_0.2", "AIOXEN_0.10", "AIOXEN_INTERNAL_@VERSION@"]
    first = {
        "libxl_begin",
        "libxl_end",
        "libxl_machine_create",
        "libxl_machine_init",
        "libxl_error_name",
        "*",
    }
    assert first <= made["AIOXEN_0.1"]
    assert made["AIOXEN_0.10"] == {"libxl_later", "after AIOXEN_0.2"}
    assert made["AIOXEN_INTERNAL_@VERSION@"] == {"libxl__verb_*"}


def test_without_functions_there_is_none(tmp_path: Path) -> None:
    files = [path for path in FIXTURE if path.stem != "functions"]
    assert generate(tmp_path, *files).returncode == 0
    assert not (tmp_path / "libaioxen.map.in").exists()
