# SPDX-License-Identifier: LGPL-2.1-or-later
"""Generates the Python modules, below `python/` of the output. One module here writes one file:

names        the names and types that the others use
classes      enumerations, dataclasses, events        -> aioxen/types.py, aioxen/_{result,late}_types.py
late         which classes are in _result_types.py and _late_types.py
errors       one exception class per error            -> aioxen/errors.py
convert      conversion to and from C                 -> aioxen/_convert.py, aioxen/_{result,late}_convert.py
to_c         the functions of convert that store values in C
from_c       the functions of convert that read values of C
json         conversion to and from JSON              -> aioxen/_json.py
operations   the methods of Context and Domain        -> aioxen/_operations.py
sync         the methods of aioxen.sync               -> aioxen/_sync_operations.py
fleet        the methods of aioxen.fleet              -> aioxen/_fleet_operations.py
native       the types of the cffi module             -> aioxen/_native.pyi
"""

from __future__ import annotations

from functools import partial

from gen import model as m
from gen.python import classes, convert, errors, fleet, json, native, operations, sync
from gen.python.late import LATE
from gen.python.names import HEAD, LINE, Names, is_domid
from gen.python.names import operations as in_python

EXTENSION = '''\
"""aioxen, extended by the operations of {0}.

async with {0}.Context() as xen: ...

A program that uses several extensions defines its own classes:

    class Domain({0}.DomainOperations, ..., aioxen.Domain): ...

    class Context({0}.ContextOperations, ..., aioxen.Context):
        domain_class = Domain
"""

from typing import TYPE_CHECKING

import aioxen
from {0} import _json as _json
from {0}._operations import ContextOperations as ContextOperations
from {0}._operations import DomainOperations as DomainOperations
from {0}.errors import *
from {0}.types import *

if TYPE_CHECKING:
    from types import EllipsisType

    from aioxen import types
    from aioxen._spec import Progress
    from aioxen.operation import Operation, UndoableOperation


class Domain(DomainOperations, aioxen.Domain):
    """aioxen.Domain with the operations of {0}."""

    __slots__ = ()


class Context(ContextOperations, aioxen.Context):
    """aioxen.Context with the operations of {0}."""

    domain_class = Domain

    if TYPE_CHECKING:
        # The library's operations that return a Domain return this class.
'''


def extended(model: m.Model) -> str:
    """Returns the __init__.py of an extension's package."""
    names = Names(model)
    inherited = [o for o in in_python(model.whole) if o not in model.operations]
    returning = [o for o in inherited if any(is_domid(f.kind) for f in o.results)]
    heads = [operations.retyped(names, o) for o in returning]
    return HEAD + EXTENSION.format(names.package) + "".join(heads or ["        pass\n"])


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
        modules["__init__.py"] = extended
    else:
        modules["_sync_operations.py"] = sync.text
        for stage in LATE:
            modules[f"{stage}_types.py"] = partial(classes.late_text, stage=stage)
            modules[f"{stage}_convert.py"] = partial(convert.late_text, stage=stage)
        modules["_fleet_operations.py"] = fleet.text
    texts = {name: text(model) for name, text in modules.items()}
    return {f"python/{package}/{name}": laid_out(text) for name, text in texts.items() if text}


def laid_out(text: str) -> str:
    """Returns `text`. If a line of the text is too long, the result has a comment that stops ruff from
    formatting the text."""
    if all(len(line) <= LINE for line in text.splitlines()):
        return text
    return text.replace(HEAD, HEAD + "# fmt: off\n", 1)
