# SPDX-License-Identifier: LGPL-2.1-or-later
"""Python's side of the IDL, below `python/` of the output.

names        what things are called in Python, and as what types their values come
classes      enumerations, dataclasses, events        -> aioxen/types.py
errors       one exception class per error            -> aioxen/errors.py
convert      values to and from C                     -> aioxen/_convert.py
json         what reads and writes JSON               -> aioxen/_json.py
operations   the methods of Context and Domain        -> aioxen/_operations.py
native       the types of the extension module        -> aioxen/_native.pyi
"""

from __future__ import annotations

from gen import model as m
from gen.python import classes, convert, errors, json, native, operations
from gen.python.names import HEAD, Names

EXTENSION = '''"""aioxen with the operations of {0}.

async with {0}.Context() as xen: ...

With several extensions: class Context({0}.ContextOperations, ..., aioxen.Context).
"""

import aioxen
from {0} import _json as _json
from {0}._operations import ContextOperations as ContextOperations
from {0}.types import *


class Context(ContextOperations, aioxen.Context):
    """aioxen's Context with the operations of {0}."""
'''


def outputs(model: m.Model) -> dict[str, str]:
    package = Names(model).package
    modules = {
        "types.py": classes.text,
        "errors.py": errors.text,
        "_convert.py": convert.text,
        "_json.py": json.text,
        "_operations.py": operations.text,
        "_native.pyi": native.text,
    }
    if model.base:
        del modules["errors.py"]
        modules["__init__.py"] = lambda _: HEAD + EXTENSION.format(package)
    return {f"python/{package}/{name}": text(model) for name, text in modules.items()}
