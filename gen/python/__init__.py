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


def outputs(model: m.Model) -> dict[str, str]:
    return {
        "python/aioxen/types.py": classes.text(model),
        "python/aioxen/errors.py": errors.text(model),
        "python/aioxen/_convert.py": convert.text(model),
        "python/aioxen/_json.py": json.text(model),
        "python/aioxen/_operations.py": operations.text(model),
        "python/aioxen/_native.pyi": native.text(model),
    }
