# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of dataclasses that have a form in JSON, and of the C functions that read and write it."""

from __future__ import annotations

from gen import json_forms
from gen import model as m
from gen.python.names import HEAD, Names

IMPORTS = '''"""What reads and writes each dataclass in JSON."""

from __future__ import annotations

from typing import Any

from aioxen import _convert, types
from aioxen._native import lib
from aioxen._values import Form
'''


def text(model: m.Model) -> str:
    names = Names(model)
    written = json_forms.structs(model)
    rows = [row(s, name) for s, name in names.structs.items() if s in written]
    return HEAD + IMPORTS + "\nFORMS: dict[type, Form[Any]] = {\n" + "".join(rows) + "}\n"


def row(kind: m.Struct, name: str) -> str:
    dispose = f"lib.{kind.dispose_fn}" if kind.dispose_fn else "None"
    arguments = [
        f'"{kind.c_name} *"',
        f"_convert.put_{name}",
        f"_convert.get_{name}",
        f"lib.{kind.c_name}_to_json",
        f"lib.{kind.c_name}_from_json",
        dispose,
    ]
    inner = "".join(f"        {a},\n" for a in arguments)
    return f"    types.{name}: Form(\n{inner}    ),\n"
