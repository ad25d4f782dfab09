# SPDX-License-Identifier: LGPL-2.1-or-later
"""The outputs. Each is a module with `outputs(model) -> {path below --out: text}`."""

from __future__ import annotations

from collections.abc import Callable

from gen import model as m

Output = Callable[[m.Model], dict[str, str]]

OUTPUTS: list[Output] = []


def produce(model: m.Model) -> dict[str, str]:
    """Every output's files. No two outputs write the same one."""
    files: dict[str, str] = {}
    for output in OUTPUTS:
        for path, text in output(model).items():
            assert path not in files, path
            files[path] = text
    return files
