# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _convert.py, _result_convert.py and _late_convert.py: the conversion of values to and from C, one
function per struct and direction. _result_convert.py and _late_convert.py have the functions of the late
types (late.py), and are imported when one of them is used.

X stands for the name of a struct. `put_X(c, value, path, keep)` fills *c. `path` names the value in errors.
The objects in `keep` must live as long as *c is used. `get_X(c)` reads *c. `get_X_list(c, n)` reads an array
of n elements. A flat struct contains numbers only, so Python's module struct reads it, or an array of it, in
one call.
"""

from __future__ import annotations

import re

from gen import model as m
from gen.python.from_c import FromC, table
from gen.python.late import EARLY, LATE, stages
from gen.python.names import HEAD, Names, exported, sole_array
from gen.python.to_c import ToC

DOC = '"""Conversion of values to and from C."""'
LATE_DOC = '"""Conversion to and from C of the classes of {}_types."""'
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
    "from aioxen._late_convert import *\nfrom aioxen._result_convert import *\nfrom {}._native import ffi\n"
)

LOADER = '''

if TYPE_CHECKING:
{typed}else:

    def __getattr__(name: str) -> object:
        """Imports the conversions of the late types when one of them is used first."""
        if not name.startswith("__"):
            for module in {modules}:
                made = import_module(f"aioxen.{{module}}")
                globals().update((late, getattr(made, late)) for late in made.__all__)
                if name in globals():
                    return globals()[name]
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
'''

DEFINED = re.compile(r"^(?:def )?(\w+)(?:\(| = |: dict)", re.M)
"""A name that a generated module defines."""


def text(model: m.Model) -> str:
    convert = Converters(Names(model))
    names = convert.names
    made = convert.functions(model, EARLY)
    if model.base is None or model.events:
        made += "\n\n" + convert.from_c.events(model)
    late = {stage: found for stage in LATE if (found := defined(convert.functions(model, stage)))}
    head = names.imports(imports(made), EXTENDED.format(names.package))
    if not late:
        return HEAD + head + "\n" + made
    head = head.replace("from typing import", "from importlib import import_module\nfrom typing import", 1)
    typed = [
        f"    from aioxen.{stage}_convert import {name} as {name}\n"
        for stage, found in late.items()
        for name in found
        if name[0] != "_"
    ]
    modules = tuple(f"{stage}_convert" for stage in late)
    loader = LOADER.format(typed="".join(sorted(typed)), modules=str(modules).replace("'", '"'))
    return HEAD + head + "\n" + made + loader


def defined(made: str) -> list[str]:
    """Returns the names that the text of a module defines."""
    return sorted(DEFINED.findall(made))


def late_text(model: m.Model, stage: str) -> str:
    """Returns the module of a stage's conversions, or "" if the stage has no types."""
    convert = Converters(Names(model))
    if not (made := convert.functions(model, stage)):
        return ""
    words = set(re.findall(r"\w+", made))
    given = ""
    for earlier in (EARLY, *LATE[: LATE.index(stage)]):
        names = [name for name in defined(convert.functions(model, earlier)) if name in words]
        if names:
            used = "".join(f"    {name},\n" for name in names)
            given += f"from aioxen.{earlier}_convert import (\n{used})\n"
    head = imports(made).replace(DOC, LATE_DOC.format(stage))
    head = head.replace("from aioxen import types\n", f"from aioxen import types\n{given}")
    names = [name for name in defined(made) if name[0] != "_"]
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

    def functions(self, model: m.Model, stage: str) -> str:
        """Returns the tables and functions of a stage's types."""
        names, found = self.names, stages(self.names)
        used = {kind for s in names.own_structs for kind in m.walk(s)}
        used |= {f.enumeration for s in names.own_structs for f in s.fields if f.enumeration}
        enumerations = [e for e in names.enumerations if found.get(e, EARLY) == stage]
        structs = {s: name for s, name in names.own_structs.items() if found[s] == stage}
        later = stage != EARLY
        parts = [table(e, later) for e in enumerations if e in used or e in model.types]
        for struct, name in structs.items():
            parts += [self.to_c.put(struct, name), self.from_c.get(struct, name)]
        parts += [self.from_c.take_sole(s, a) for s in structs if s.name and (a := sole_array(s))]
        return "\n\n".join(parts)
