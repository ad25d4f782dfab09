# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of all fields of a domain's configuration, which comes from the IDL, and a function that sets a
field in a configuration.

A path has the form of the paths in error messages, such as `b_info.sched_params.weight` or `disks[0].vdev`.
Configurations are JSON documents here, as libxl writes them.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from worldly import ROOT

Document = dict[str, Any]
IDL = json.loads((ROOT / "build/gen/idl.json").read_text())
TYPES = IDL["types"]
VALUES: dict[str, object] = {
    "char *": "a-text",
    "bool": True,
    "libxl_defbool": "True",
    "libxl_bitmap": [0],
    "libxl_blob": "00ff",
    "libxl_string_list": ["a-text"],
    "libxl_key_value_list": {"a": "b"},
    "libxl_uuid": "00000000-0000-0000-0000-000000000007",
    "libxl_mac": "00:16:3e:00:00:07",
    "libxl_ms_vm_genid": list(range(16)),
    "libxl_hwcap": list(range(8)),
}
"""For each type except numbers, a value that differs from the initial value of every field. value_of() has
the numbers."""


def fields(type_name: str, path: str, inner: Document | None = None) -> Iterator[tuple[str, Document]]:
    """Yields the fields of a structure. A field that is a structure is replaced by its own fields, unless
    the whole field is unsupported."""
    for name, field in (inner or TYPES[type_name]["fields"]).items():
        at = f"{path}.{name}".lstrip(".")
        element = field["type"].removeprefix("array of ")
        if field["type"] == "nothing":
            continue
        if field.get("unsupported"):
            yield at, field
        elif "fields" in field:
            yield from fields("", at, field["fields"])
        elif "fields" in TYPES.get(element, {}):
            yield from fields(element, at if element == field["type"] else f"{at}[0]")
        elif element != field["type"]:
            yield f"{at}[0]", field | {"type": element}
        else:
            yield at, field


FIELDS = dict(fields("libxl_domain_config", ""))


def value_of(field: Document) -> object:
    """Returns a value of the field's type that is not its initial value."""
    type_name = field["type"]
    if type_name.startswith("array of "):
        return [7 if "uint" in type_name else {}]
    inner = TYPES.get(type_name, {}).get("fields")
    if inner:
        name, first = next(iter(inner.items()))
        return {name: value_of(first)}
    if type_name in VALUES:
        return VALUES[type_name]
    values = TYPES.get(type_name, {}).get("values")
    if values:
        prefix = type_name.upper() + "_"
        initial = field.get("initial") or TYPES[type_name].get("initial") or 0
        others = [name for name, about in values.items() if initial not in (name, about["value"])]
        return next(name.removeprefix(prefix).lower() for name in reversed(others))
    return 7


def put(document: Document, path: str, value: object) -> Document:
    """Returns a copy of the document with another value at a path."""
    changed = copy.deepcopy(document)
    path = re.sub(r"\.u\.(\w+)", r".type.\1", path)
    steps = [step for step in re.split(r"\.(?!pv\b|pvh\b|hvm\b)|\[0\]", path) if step]
    at: Any = changed
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        is_array = f"{step}[0]" in path
        if not following:
            at[step] = [value] if is_array else value
        elif is_array:
            at = at.setdefault(step, [{}])[0]
        else:
            at = at.setdefault(step, {})
    return changed
