# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of the outputs. Each output is a module with `outputs(model) -> {path below --out: text}`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gen import (
    c_devices,
    c_initiators,
    c_json,
    c_operations,
    c_phases,
    c_types,
    c_types_source,
    dump,
    extension,
    linker_map,
    man,
    manual,
    python,
    reference,
    schema,
)
from gen import model as m

Output = Callable[[m.Model], dict[str, str]]

OUTPUTS: dict[str, list[Output]] = {
    "c": [
        c_types.outputs,
        c_types_source.outputs,
        c_json.outputs,
        c_operations.outputs,
        c_initiators.outputs,
        c_phases.outputs,
        c_devices.outputs,
        extension.outputs,
        linker_map.outputs,
    ],
    "python": [python.outputs],
    "doc": [reference.outputs],
    "man": [man.outputs],
    "manual": [manual.outputs],
    "schema": [schema.outputs],
    "dump": [dump.outputs],
}


def produce(model: m.Model, names: Iterable[str] = OUTPUTS) -> dict[str, str]:
    """Returns the files that the given outputs generate. No two outputs generate the same file."""
    files: dict[str, str] = {}
    for output in (output for name in names for output in OUTPUTS[name]):
        for path, text in output(model).items():
            assert path not in files, path
            files[path] = text
    return files
