# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _json.py: a table of the C functions that convert each dataclass to and from JSON."""

from __future__ import annotations

from textwrap import indent

from gen import json_forms
from gen import model as m
from gen.python.names import HEAD, Names

IMPORTS = '''"""The functions that convert each dataclass to and from JSON."""

from __future__ import annotations

from typing import Any

from aioxen import _convert, types
from aioxen._form import Form
from aioxen._native import lib
'''


# The generated module of an extension begins with these imports. It adds the forms of the extension's types
# to aioxen's table FORMS.
EXTENDED = "from aioxen._json import FORMS\nfrom {}._native import ffi\n"


def text(model: m.Model) -> str:
    names = Names(model)
    written = json_forms.structs(model)
    rows = "".join(row(names, s, name) for s, name in names.own_structs.items() if s in written)
    head = HEAD + names.imports(IMPORTS, EXTENDED.format(names.package))
    if model.base:
        return f"{head}\nFORMS.update(\n    {{\n{indent(rows, '    ')}    }}\n)\n"
    return f"{head}\nFORMS: dict[type, Form[Any]] = {{\n{rows}}}\n"


def row(names: Names, kind: m.Struct, name: str) -> str:
    dispose = f"lib.{kind.dispose_fn}" if kind.dispose_fn else "None"
    arguments = [
        names.ctype(f"{kind.c_name} *"),
        f"_convert.put_{name}",
        f"_convert.get_{name}",
        f"lib.{kind.c_name}_to_json",
        f"lib.{kind.c_name}_to_json_all",
        f"lib.{kind.c_name}_from_json",
        dispose,
    ]
    inner = "".join(f"        {a},\n" for a in arguments)
    return f"    types.{name}: Form(\n{inner}    ),\n"
