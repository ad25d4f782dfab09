# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _convert.py and _late_convert.py: the conversion of values to and from C, one function per struct
and direction. _late_convert.py has the functions of the late types (late.py), and is imported when one of
them is used.

X stands for the name of a struct. `put_X(c, value, path, keep)` fills *c. `path` names the value in errors.
The objects in `keep` must live as long as *c is used. `get_X(c)` reads *c. `get_X_list(c, n)` reads an array
of n elements. A flat struct contains numbers only, so Python's module struct reads it, or an array of it, in
one call.
"""

from __future__ import annotations

import re

from gen import model as m
from gen.python.from_c import FromC, table
from gen.python.late import late
from gen.python.names import HEAD, Names, exported, sole_array
from gen.python.to_c import ToC

DOC = '"""Conversion of values to and from C."""'
LATE_DOC = '"""Conversion to and from C of the classes of _late_types."""'
IMPORTS = f"""{DOC}

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aioxen import _values as v
from aioxen import types
from aioxen._values import CData, Keep

if TYPE_CHECKING:
    from uuid import UUID
"""

# The generated module of an extension imports the library's conversions, because the extension's conversions
# may call them.
EXTENDED = (
    "from aioxen._convert import *\nfrom aioxen._extend import register\n"
    "from aioxen._late_convert import *\nfrom {}._native import ffi\n"
)

LOADER = '''

if TYPE_CHECKING:
{typed}else:

    def __getattr__(name: str) -> object:
        """Imports the conversions of the late types when one of them is used first."""
        if name.startswith("__"):
            raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
        from aioxen import _late_convert

        globals().update((late, getattr(_late_convert, late)) for late in _late_convert.__all__)
        if name not in globals():
            raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
        return globals()[name]
'''

DEFINED = re.compile(r"^(?:def )?(\w+)(?:\(| = |: dict)", re.M)
"""A name that a generated module defines."""


def text(model: m.Model) -> str:
    convert = Converters(Names(model))
    names = convert.names
    made = convert.functions(model, False)
    if model.base is None or model.events:
        made += "\n\n" + convert.from_c.events(model)
    head = names.imports(imports(made), EXTENDED.format(names.package))
    late = sorted(word for word in DEFINED.findall(convert.functions(model, True)) if word[0] != "_")
    typed = "".join(f"    from aioxen._late_convert import {name} as {name}\n" for name in late)
    return HEAD + head + "\n" + made + (LOADER.format(typed=typed) if late else "")


def late_text(model: m.Model) -> str:
    """Returns _late_convert.py, or "" if no type is late."""
    convert = Converters(Names(model))
    if not (made := convert.functions(model, True)):
        return ""
    early = set(DEFINED.findall(convert.functions(model, False)))
    used = "".join(f"    {name},\n" for name in sorted(early & set(re.findall(r"\w+", made))))
    given = f"from aioxen._convert import (\n{used})\n" if used else ""
    names = [word for word in DEFINED.findall(made) if word[0] != "_"]
    head = imports(made).replace(DOC, LATE_DOC).replace("from aioxen._native", f"{given}from aioxen._native")
    return HEAD + head.replace("from collections.abc import Callable\n", "") + "\n" + exported(names) + made


def imports(made: str) -> str:
    """Returns the import lines of a module with these functions."""
    if "lib." not in made:
        return IMPORTS
    return IMPORTS.replace("from aioxen._values", "from aioxen._native import lib\nfrom aioxen._values")


class Converters:
    """Generates the tables and functions of all types."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.to_c = ToC(names)
        self.from_c = FromC(names)

    def functions(self, model: m.Model, later: bool) -> str:
        """Returns the tables and functions of the late types, or of the others."""
        names, chosen = self.names, set(late(self.names))
        used = {kind for s in names.own_structs for kind in m.walk(s)}
        used |= {f.enumeration for s in names.own_structs for f in s.fields if f.enumeration}
        enumerations = [e for e in names.enumerations if (e in chosen) == later]
        structs = {s: name for s, name in names.own_structs.items() if (s in chosen) == later}
        parts = [table(e, later) for e in enumerations if e in used or e in model.types]
        for struct, name in structs.items():
            parts += [self.to_c.put(struct, name), self.from_c.get(struct, name)]
        parts += [self.from_c.take_sole(s, a) for s in structs if s.name and (a := sole_array(s))]
        return "\n\n".join(parts)
