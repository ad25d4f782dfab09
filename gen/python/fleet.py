# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _fleet_operations.py: the operations that can be called on another host. The file has a table with
the JSON form of the inputs and results, and the methods of aioxen.fleet's Host and Domain."""

from __future__ import annotations

from gen import model as m
from gen.python.names import (
    HEAD,
    Names,
    camel,
    docstring,
    form,
    function,
    inputs,
    is_bool,
    is_domid,
    is_string,
    is_uuid,
    operations,
    sole_array,
)
from gen.python.names import call as called
from gen.python.operations import (
    BY_HAND,
    document,
    domain_head,
    forwarded,
    keywords,
    parameter,
    reports,
    returned,
)

IMPORTS = '''"""Every operation that can be called on another host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from aioxen import _remote as r
from aioxen import types
from aioxen._spec import DomainBase

if TYPE_CHECKING:
    from uuid import UUID

    from aioxen._spec import DomainLike, Progress
    from aioxen.fleet.domain import Domain
    from aioxen.fleet.operation import RemoteOperation

'''

HOST = '''

class HostOperations(ABC):
    """The operations of aioxen on a host of a fleet."""

    @abstractmethod
    def _call(
        self,
        operation: str,
        timeout: float | None,
        progress: Progress[Any] | None,
        /,
        **inputs: object,
    ) -> RemoteOperation[Any]:
        """Starts an operation on the host."""
'''

DOMAIN = '''

class DomainOperations(DomainBase):
    """The operations of aioxen on a domain of a fleet."""

    __slots__ = ()

    _host: HostOperations
'''


def text(model: m.Model) -> str:
    names = Names(model)
    remote = [o for o in operations(model) if can_be_remote(o)]
    called = [o for o in remote if not moves(o)]
    about = [o for o in called if o.inputs and is_domid(o.inputs[0].kind) and o.name not in BY_HAND]
    reported = [e for e in model.events if e.name != "operation_complete"]
    events = [e for e in reported if all(event_kind(f) for f in e.fields)]
    text = "".join(
        [
            HEAD,
            IMPORTS,
            "OPERATIONS: dict[str, r.Remote] = {\n",
            *(f'    "{o.python_name}": {row(names, o)},\n' for o in remote),
            "}\n\nEVENTS: dict[str, r.RemoteEvent] = {\n",
            *(f'    "{e.name}": {event_row(e)},\n' for e in events),
            "}\n",
            HOST,
            *("\n" + host_method(names, o) for o in called),
            DOMAIN,
            *("\n" + domain_method(names, o) for o in about),
        ]
    )
    if "Mapping[" in text:
        text = text.replace(
            "TYPE_CHECKING:\n", "TYPE_CHECKING:\n    from collections.abc import Mapping\n", 1
        )
    return text


def can_be_remote(operation: m.Operation) -> bool:
    """Returns whether the operation can be called on another host. A descriptor has no meaning there."""
    return all(f.name != "fd" for f in operation.inputs)


def moves(operation: m.Operation) -> bool:
    """Returns whether the operation sends or receives a guest. The agents make the connection, and
    Fleet.migrate() calls one such operation on each host."""
    return any(f.name == "in_fd" for f in operation.inputs)


# The table


def row(names: Names, o: m.Operation) -> str:
    """Returns the lines of an operation in the table. Each list ends with a comma so that ruff keeps it."""
    given = [input_row(names, f) for f in inputs(o) if f.name not in ("in_fd", "out_fd")]
    given += ['r.Input("passage", r.PASSAGE)'] if moves(o) else []
    rows = "".join(f"            {one},\n" for one in given)
    results = "".join(f"            {kind(names, f, result=True)},\n" for f in o.results)
    lists = ["[\n" + lines + "        ]" if lines else "[]" for lines in (rows, results)]
    options = [] if o.undo is None else [f'undo="{o.undo.python_name}"']
    options += ["waits=True"] if reports(o) else []
    return "r.Remote(\n" + "".join(f"        {one},\n" for one in [*lists, *options]) + "    )"


def input_row(names: Names, f: m.Field) -> str:
    need = ", r.Need.OPTIONAL" if f.optional else ", r.Need.DEFAULT" if f.init_val is not None else ""
    return f'r.Input("{f.name}", {kind(names, f)}{need})'


def kind(names: Names, f: m.Field, result: bool = False) -> str:
    """Returns the expression for the JSON form of an input or a result."""
    if is_domid(f.kind):
        return "r.DOMAIN" if result else "r.DOMAIN_LIKE"
    if is_string(f.kind):
        return ("r.ANY" if result else "r.OBJECT") if f.json else "r.TEXT"
    if is_uuid(f.kind):
        return "r.IDENTITY"
    if f.enumeration is not None:
        return f"r.Word(types.{camel(f.enumeration.name or '')})"
    if isinstance(f.kind, m.Enumeration):
        return f"r.Word(types.{camel(f.kind.name or '')})"
    if isinstance(f.kind, m.Struct):
        array = sole_array(f.kind) if result else None
        element = names.structs[array.element] if array and isinstance(array.element, m.Struct) else None
        return f"r.Listed(types.{element})" if element else f"r.Struct(types.{names.structs[f.kind]})"
    if found := form(f.kind):
        return f"r.{found.upper()}"
    if is_bool(f.kind):
        return "r.BOOL"
    return "r.REAL" if isinstance(f.kind, m.Float) else "r.NUMBER"


def event_kind(f: m.Field) -> str:
    """Returns the JSON form of a field of an event, or "" if the field has none."""
    if isinstance(f.enumeration or f.kind, m.Enumeration):
        return f"r.Word(types.{camel((f.enumeration or f.kind).name or '')})"
    if is_string(f.kind):
        return "r.TEXT"
    return "r.NUMBER" if isinstance(f.kind, m.Number) or is_domid(f.kind) else ""


def event_row(e: m.Event) -> str:
    fields = "".join(f'            ("{f.name}", {event_kind(f)}),\n' for f in e.fields)
    rows = "[\n" + fields + "        ]" if fields else "[]"
    return f"r.RemoteEvent(\n        types.{camel(e.name)},\n        {rows},\n    )"


# The methods


def result(names: Names, o: m.Operation) -> str:
    return f"RemoteOperation[{returned(names, o).partition('[')[2]}"


def parameters(names: Names, fields: list[m.Field], o: m.Operation) -> list[str]:
    kept = [k for k in keywords(o) if not k.startswith("limit:")]
    return [*(parameter(names, f, "DomainLike") for f in fields), *kept]


def described(names: Names, o: m.Operation, of_domain: bool = False) -> str:
    parts = document(names, o, of_domain=of_domain).split("\n\n")
    return docstring("\n\n".join(p for p in parts if not p.startswith(("limit: ", "Undo: "))), 8)


def host_method(names: Names, o: m.Operation) -> str:
    given = [f"{f.name}={f.name}" for f in inputs(o)]
    progress = "progress" if reports(o) else "None"
    body = called("return self._call", [f'"{o.python_name}"', "timeout", progress, *given], 8)
    head = function(o.python_name, ["self", *parameters(names, inputs(o), o)], result(names, o), 4)
    return head + described(names, o) + body


def domain_method(names: Names, o: m.Operation) -> str:
    head = domain_head(o, parameters(names, inputs(o)[1:], o), result(names, o))
    return head + described(names, o, of_domain=True) + forwarded(o, "_host", "timeout")
