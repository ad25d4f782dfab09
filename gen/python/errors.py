# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes errors.py: one exception class per error."""

from __future__ import annotations

from gen import model as m
from gen.python.names import HEAD, docstring, error_class, exported

# The built-in exception from which the class of an error also derives, by error.
BUILTIN_BASES = {
    "NI": "NotImplementedError",
    "NOMEM": "MemoryError",
    "INVAL": "ValueError",
    "GUEST_TIMEDOUT": "TimeoutError",
    "TIMEDOUT": "TimeoutError",
    "DOMAIN_NOTFOUND": "KeyError",
    "NOTFOUND": "KeyError",
    "PERMISSION": "PermissionError",
    "NO_XENSTORE": "ConnectionError",
}

# The class from which the class of an error derives, by error. So a program can catch both errors by the name
# of the base.
PARENTS = {"DOMAIN_GONE": "DomainNotFoundError"}

# The older names of classes, by error. `from aioxen import *` excludes them.
ALIASES = {"PERMISSION": "PermissionError"}

IMPORTS = '''"""The errors of the library: one class for each."""

from __future__ import annotations

import builtins

from aioxen._error import Error

'''


# The generated module of an extension registers the extension's errors with aioxen.
EXTENDED = '''"""The errors of {}: one class for each."""

from __future__ import annotations

from aioxen._error import Error
from aioxen._extend import register
from aioxen.errors import BY_RC

'''


def text(model: m.Model) -> str:
    classes = [error_class(e) for e in model.errors]
    rows = "".join(f"    {e.value}: {error_class(e)},\n" for e in model.errors)
    table = f"BY_RC: dict[int, type[Error]] = {{\n{rows}}}\n"
    if model.base:
        table = f'_OWN: dict[int, type[Error]] = {{\n{rows}}}\nregister(BY_RC, _OWN, "error")\n'
    return "".join(
        [
            HEAD,
            EXTENDED.format(model.name) if model.base else IMPORTS,
            exported(classes if model.base else ["Error", *classes]),
            *("\n\n" + exception(e) for e in model.errors),
            *(f"\n\n{ALIASES[e.name]} = {error_class(e)}\n" for e in model.errors if e.name in ALIASES),
            "\n\n" + table,
        ]
    )


def exception(error: m.Error) -> str:
    bases = PARENTS.get(error.name, "Error")
    if builtin := BUILTIN_BASES.get(error.name):
        bases += f", builtins.{builtin}"
    return f"class {error_class(error)}({bases}):\n{docstring(error.doc)}\n    rc = {error.value}\n"
