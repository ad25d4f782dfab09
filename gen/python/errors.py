# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes errors.py: one exception class per error."""

from __future__ import annotations

from gen import model as m
from gen.python.names import HEAD, docstring, error_class, exported

# The classes of these errors also derive from a built-in exception.
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

# The class of such an error derives from the class of another one, so that programs catch both by one name.
PARENTS = {"DOMAIN_GONE": "DomainNotFoundError"}

IMPORTS = '''"""The errors of the library: one class for each."""

from __future__ import annotations

import builtins

from aioxen._error import Error

'''


# An extension registers its errors with the library.
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
            "\n\n" + table,
        ]
    )


def exception(error: m.Error) -> str:
    bases = PARENTS.get(error.name, "Error")
    if builtin := BUILTIN_BASES.get(error.name):
        bases += f", builtins.{builtin}"
    return f"class {error_class(error)}({bases}):\n{docstring(error.doc)}\n    rc = {error.value}\n"
