# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _operations.py: a CffiSpec per operation, and the methods of Context and Domain."""

from __future__ import annotations

import re
from textwrap import fill

from gen import model as m
from gen import phase_text
from gen.model import Speed
from gen.python.classes import default
from gen.python.late import EARLY, stages
from gen.python.names import (
    HEAD,
    LINE,
    Names,
    camel,
    docstring,
    error_class,
    form,
    function,
    inputs,
    is_bool,
    is_domid,
    is_string,
    is_uuid,
    known,
    operations,
    sole_array,
    tuple_of,
)
from gen.python.names import call as called

IMPORTS = '''"""Every operation of the library, as a method."""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING, Any

from aioxen import _convert, types
from aioxen import _values as v
from aioxen._native import ffi, lib
from aioxen._spec import CffiSpec, DomainBase, DomainLike, DomainResult, OperationsBase, Progress, Result
from aioxen._values import Keep

if TYPE_CHECKING:
    from uuid import UUID

    from aioxen.domain import Domain
    from aioxen.operation import Operation, UndoableOperation
'''

# The operations whose Domain methods are written by hand in domain.py. Each of these methods does more than
# the operation.
BY_HAND = {"domain_shutdown", "domain_reboot"}

# The errors of operations that need their domain. An operation without such an error succeeds if the domain
# is gone.
GONE = {"DOMAIN_NOTFOUND", "DOMAIN_GONE"}

TIMEOUT = "timeout if limit is ... else limit"


def text(model: m.Model) -> str:
    names = Names(model)
    public = operations(model)
    parts = [
        *(f"\n{call(names, o)}" for o in in_order(public)),
        "\n\nclass ContextOperations(OperationsBase):\n",
        docstring(f"The operations of {names.package} on a context."),
        *("\n" + context_method(names, o) for o in public),
    ]
    parts += of_domain(names, model)
    body = "".join(parts)
    return head(names, public, body) + body


def head(names: Names, public: list[m.Operation], body: str) -> str:
    """Returns the beginning of the module, with only the imports that the body uses."""
    text = HEAD + names.imports(IMPORTS)
    if "Progress[" not in body:
        text = text.replace("OperationsBase, Progress, Result", "OperationsBase, Result")
    for name in "DomainBase", "DomainLike":
        if name not in body:
            text = text.replace(f"{name}, ", "")
    if "Mapping[" in body:
        text = text.replace(
            "TYPE_CHECKING:\n", "TYPE_CHECKING:\n    from collections.abc import Mapping\n", 1
        )
    if ": Any" not in body and "[Any]" not in body:
        text = text.replace("TYPE_CHECKING, Any", "TYPE_CHECKING")
    if "UUID" not in body:
        text = text.replace("    from uuid import UUID\n\n", "")
    if "v." not in body:
        text = text.replace("from aioxen import _values as v\n", "")
    foreign = [o.undo for o in public if o.undo is not None and o.undo not in public]
    rows = "".join(f"from aioxen._operations import {row(o)} as {row(o)}\n" for o in dict.fromkeys(foreign))
    return text.replace("from aioxen._values import Keep\n", rows + "from aioxen._values import Keep\n")


def of_domain(names: Names, model: m.Model) -> list[str]:
    """Returns the class DomainOperations: methods for the operations whose first input is a domain."""
    about = [o for o in operations(model) if o.inputs and is_domid(o.inputs[0].kind)]
    about = [o for o in about if model.base or o.name not in BY_HAND]
    return [
        f"\n\nclass DomainOperations{'' if model.base else '(DomainBase)'}:\n",
        docstring(f"The operations of {names.package} on a domain."),
        "\n    __slots__ = ()\n\n",
        # An extension's Domain inherits from both packages, whose contexts have different classes.
        "    _xen: ContextOperations\n" if model.base is None else "    _xen: Any\n",
        *("\n" + domain_method(names, o) for o in about),
    ]


def in_order(public: list[m.Operation]) -> list[m.Operation]:
    """Returns the operations in an order in which each follows the operation that undoes it."""
    ordered: list[m.Operation] = []

    def add(o: m.Operation) -> None:
        if o not in ordered:
            if o.undo in public and o.undo is not None:
                add(o.undo)
            ordered.append(o)

    for o in sorted(public, key=lambda o: all(other.undo is not o for other in public)):
        add(o)
    return ordered


def row(operation: m.Operation) -> str:
    return f"_{operation.python_name.upper()}"


# The table


def call(names: Names, operation: m.Operation) -> str:
    o = operation
    lines = [f'{row(o)} = CffiSpec(\n    "{o.python_name}",\n    {c_function(names, o.c_name)},\n']
    if o.inputs:
        lines.append(tuple_of("inputs=", [f'"{f.name}"' for f in o.inputs], 4))
    if o.domid is not None:
        lines.append(f"    domid={o.inputs.index(o.domid)},\n")
    if o.results:
        lines.append(tuple_of("results=", [result(names, f) for f in o.results], 4))
    if o.progress:
        lines.append("    reports=True,\n")
    if o.undo:
        order = [index_of(w, o.results) for w in o.undo.inputs]
        lines.append(f"    undo=({row(o.undo)}, ({', '.join(map(str, order))},)),\n")
    if o.limit is not None:
        lines.append(f"    limit={o.limit},\n")
    if o.speed is Speed.INSTANT:
        lines.append("    instant=True,\n")
    if o.domid is not None and not o.results and not GONE & {e.name for e in o.errors}:
        lines.append("    ends_if_gone=True,\n")
    if has_initiator(o):
        lines.append(f'    initiator=ffi.addressof(lib, "{o.c_name}"),\n')
    return "".join(lines) + ")\n"


def c_function(names: Names, name: str) -> str:
    """Returns the expression for a C function: its name. The functions of an extension are not in aioxen's
    own module, so there the expression is the function."""
    return f"lib.{name}" if names.model.base is not None else f'"{name}"'


def has_initiator(operation: m.Operation) -> bool:
    """Returns whether _live can call the C function directly: the operation's only input is a domain, and
    the operation has no results."""
    o = operation
    return len(o.inputs) == 1 and is_domid(o.inputs[0].kind) and not o.results and o.progress is None


def index_of(wanted: m.Field, results: list[m.Field]) -> int:
    """Returns the position of the result that is the undo's input."""
    return next(i for i, f in enumerate(results) if f.type is wanted.type)


def result(names: Names, f: m.Field) -> str:
    """Returns the expression for a Result: its C type, the function that reads it, and the function that
    frees it."""
    kind = f.kind
    pointer = names.ctype(f"{kind.c_name}*" if is_string(kind) else f"{kind.c_name} *")
    if is_domid(kind):
        return f"DomainResult({pointer})"
    if is_string(kind):
        return f"Result({pointer}, v.take_{'json' if f.json else 'string'}, v.free_string)"
    if is_uuid(kind):
        return f"Result({pointer}, v.take_uuid)"
    if found := form(kind):
        free = c_function(names, kind.dispose_fn) if kind.dispose_fn else ""
        if free and kind.passby == m.PASS_BY_VALUE:
            free = f"lambda c: lib.{kind.dispose_fn}(c[0])"
        return f"Result({pointer}, v.get_{found}" + (f", {free})" if free else ")")
    if f.enumeration is not None:
        return f"Result({pointer}, {by_name(names, f.enumeration, f'take_{f.enumeration.name}')})"
    if isinstance(kind, m.Struct):
        read = f"take_{kind.name}" if sole_array(kind) else f"get_{names.structs[kind]}"
        return f"Result({pointer}, {by_name(names, kind, read)}" + (
            f", {c_function(names, kind.dispose_fn)})" if kind.owns and kind.dispose_fn else ")"
        )
    return f"Result({pointer}, v.take_{'float' if isinstance(kind, m.Float) else 'number'})"


def by_name(names: Names, kind: m.Enumeration | m.Struct, read: str) -> str:
    """Returns the expression for a function of _convert. If the type is late, the expression is the
    function's name as a string, so that the function is looked up at its first use."""
    return f"_convert.{read}" if stages(names).get(kind, EARLY) == EARLY else f'"{read}"'


# The methods


def typed(names: Names, kind: m.Type) -> str:
    """Returns a type's annotation in _operations.py."""
    if is_domid(kind):
        return "Domain"
    named = isinstance(kind, (m.Struct, m.Enumeration))
    return ("types." if named else "") + names.annotation(kind)


def result_type(names: Names, kind: m.Type) -> str:
    """Returns a result's annotation in _operations.py."""
    array = sole_array(kind)
    return f"list[{typed(names, array.element)}]" if array else typed(names, kind)


def returned(names: Names, operation: m.Operation) -> str:
    values = ["Any" if f.json else result_type(names, f.enumeration or f.kind) for f in operation.results]
    result = f"tuple[{', '.join(values)}]" if len(values) > 1 else values[0] if values else "None"
    return f"{'UndoableOperation' if operation.undo else 'Operation'}[{result}]"


def keywords(operation: m.Operation) -> list[str]:
    """Returns the keyword parameters."""
    given = ["*", f"timeout: float | None = {operation.limit}"]
    if reports(operation):
        given.append(f"progress: Progress[{' | '.join(progress_events(operation))}] | None = None")
    return [*given, "limit: float | EllipsisType | None = ..."]


def reports(operation: m.Operation) -> bool:
    """Returns whether the operation reports progress. Every operation that waits reports progress."""
    return operation.speed is not Speed.INSTANT


def progress_events(operation: m.Operation) -> list[str]:
    """Returns the events that `progress` receives: the events of phases, and the event of the
    operation itself."""
    own = [] if operation.progress is None else [event(operation.progress)]
    return ["types.OperationProgress", *own]


def event(event: m.Event) -> str:
    return f"types.{camel(event.name)}"


def context_parameters(names: Names, operation: m.Operation) -> list[str]:
    """Returns the parameters of Context's method, without self."""
    return [parameter(names, f, "DomainLike") for f in inputs(operation)] + keywords(operation)


def parameter(names: Names, f: m.Field, domain: str = "Domain") -> str:
    """Returns an input with its annotation, and with the default if the input has one."""
    kind = f.enumeration or f.kind
    annotation = domain if is_domid(kind) else "Mapping[str, Any]" if f.json else typed(names, kind)
    if f.optional:
        return f"{f.name}: {annotation.removesuffix(' | None')} | None = None"
    if f.init_val is None:
        return f"{f.name}: {annotation}"
    value = default(f, kind)
    if isinstance(kind, m.Enumeration):
        value = " | ".join(f"types.{part}" for part in value.split(" | "))
    return f"{f.name}: {annotation} = {value}"


def context_method(names: Names, operation: m.Operation) -> str:
    o = operation
    signature = function(o.python_name, ["self", *context_parameters(names, o)], returned(names, o), 4)
    keep: list[str] = []
    put: list[str] = []
    for f in inputs(o):
        lines = allocated(names, f)
        if lines and f.optional:
            put.append(f"        c_{f.name} = ffi.NULL\n        if {f.name} is not None:\n")
        put += [("    " if f.optional else "") + line for line in lines]
        keep = ["        keep: Keep = []\n"] if any(", keep)" in line for line in lines) else keep
    values = [argument(f) for f in o.inputs]
    verb, given = "_start", [TIMEOUT]
    if reports(o):
        verb, given = "_start_undoable" if o.undo else "_start_reporting", [TIMEOUT, "progress"]
    last = called(f"return self.{verb}", [row(o), *given, *values], 8)
    if has_initiator(o):
        signature = f"    @{row(o)}.method\n{signature}"
    return signature + docstring(document(names, o), 8) + "".join([*keep, *put, last])


def allocated(names: Names, f: m.Field) -> list[str]:
    """Returns the lines that allocate and fill the C value of an input. Returns an empty list if the input
    needs no allocation."""
    new = f'        c_{f.name} = ffi.new("{f.kind.c_name} *")\n'
    if isinstance(f.kind, m.Struct):
        return [
            new,
            f'        _convert.put_{names.structs[f.kind]}(c_{f.name}, {f.name}, "{f.name}", keep)\n',
        ]
    if found := form(f.kind):
        return [new, f'        v.{found}_at(c_{f.name}, {f.name}, "{f.name}", keep)\n']
    return []


def argument(f: m.Field) -> str:
    if not known(f.kind):
        return "ffi.NULL"
    if isinstance(f.kind, m.Struct):
        return f"c_{f.name}"
    if form(f.kind):
        return f"c_{f.name}" + ("" if f.kind.passby == m.PASS_BY_REFERENCE else "[0]")
    absent = f"ffi.NULL if {f.name} is None else " if f.optional else ""
    if is_string(f.kind):
        return f'{absent}v.{"json_text" if f.json else "string"}({f.name}, "{f.name}")'
    if is_uuid(f.kind):
        return f'{absent}[v.uuid({f.name}, "{f.name}")]'  # cffi converts the list to a pointer.
    if f.enumeration is not None:
        return f'v.enumeration({f.name}, "{f.name}", types.{camel(f.enumeration.name or "")})'
    return f.name if is_domid(f.kind) or is_bool(f.kind) else f'v.number({f.name}, "{f.name}")'


def domain_name(operation: m.Operation) -> str:
    """Returns the name of Domain's method: `domain_get_info` becomes `info`."""
    return operation.python_name.removeprefix("domain_").removeprefix("get_")


def domain_method(names: Names, operation: m.Operation) -> str:
    """Returns Domain's method. The method passes the handle, and the library checks the domain's UUID."""
    o = operation
    call = forwarded(o, "_xen", TIMEOUT)
    if names.model.base is not None:  # mypy reads only a comment on the statement's first line.
        first, newline, rest = call.partition("\n")
        call = f"{first}  # type: ignore[no-any-return]{newline}{rest}"
    parameters = [parameter(names, f) for f in inputs(o)[1:]]
    head = domain_head(o, [*parameters, *keywords(o)], returned(names, o))
    return head + docstring(document(names, o, of_domain=True), 8) + call


def domain_head(operation: m.Operation, parameters: list[str], result: str) -> str:
    """Returns the head of an operation's method in a class of domains."""
    return function(domain_name(operation), ["self", *parameters], result, 4)


def forwarded(operation: m.Operation, owner: str, timeout: str) -> str:
    """Returns the body of an operation's method in a class of domains. The body calls the operation's method
    of the attribute `owner`."""
    o = operation
    values = ["self", *(f.name for f in inputs(o)[1:]), f"timeout={timeout}"]
    values += ["progress=progress"] if reports(o) else []
    return called(f"return self.{owner}.{o.python_name}", values, 8)


def retyped(names: Names, operation: m.Operation) -> str:
    """Returns the head of a library operation that returns a Domain, with the return type of an
    extension's Context."""
    o = operation
    head = function(o.python_name, ["self", *context_parameters(names, o)], returned(names, o), 8, " ...")
    ignored = "  # type: ignore[override]"
    first, newline, rest = head.partition("\n")
    return first + ignored + newline + rest


def document(
    names: Names, operation: m.Operation, of_domain: bool = False, stopped: str = "Cancelled"
) -> str:
    """Returns the docstring of an operation's method. `stopped` is the heading of the paragraph about a call
    that ends early."""
    o = operation
    parts = [o.doc]
    parts += [f"{f.name}: {f.doc}" for f in inputs(o)[of_domain:]]
    if o.speed is Speed.INSTANT:
        parts.append("timeout: Has no effect, because the operation does not wait.")
    else:
        limit = "None: no limit." if o.limit is None else f"Initially {o.limit:g}. None: no limit."
        parts.append(f"timeout: Seconds; the operation is stopped then and raises TimedOutError. {limit}")
    if reports(o):
        kinds = " and ".join(e.removeprefix("types.") for e in progress_events(o))
        own = "" if o.progress is None else f" {camel(o.progress.name)}: {o.progress.doc}"
        parts.append(f"progress: Receives each {kinds}, before the operation completes.{own}")
    parts.append("limit: The older name of `timeout`. If both are given, `limit` counts.")
    if o.results:
        parts.append("Returns: " + " ".join(f.doc for f in o.results))
    errors = o.errors if of_domain is False or o.domid is None else [*o.errors, *gone(names, o)]
    parts.append("Raises: " + ", ".join(error_class(e) for e in errors) + ".")
    parts.append(f"{stopped}: {o.abort}")
    if o.phases:
        parts.append("Phases, in this order:")
        parts += [
            fill(f"{p.name}: {phase(p)}", LINE - 14, initial_indent="    ", subsequent_indent="        ")
            for p in o.phases
        ]
    if o.undo:
        parts.append(f"Undo: {o.undo.python_name}, if the result is not taken.")
    return "\n\n".join(in_classes(names, part) for part in parts)


def gone(names: Names, operation: m.Operation) -> list[m.Error]:
    """Returns the error of a handle whose domain is gone, unless the operation then succeeds."""
    if not GONE & {e.name for e in operation.errors}:
        return []
    return [e for e in names.model.whole.errors if e.name == "DOMAIN_GONE" and e not in operation.errors]


def phase(p: m.Phase) -> str:
    """Returns the description of a phase in a docstring."""
    parts = [
        p.doc,
        f"Limit: {phase_text.limit(p)}." if p.limit is not None else "",
        f"Undo: {phase_text.undone(p)}" if p.undo else "",
        "From here on the operation goes on to its end, and nothing is undone." if p.commits else "",
    ]
    return " ".join(part for part in parts if part)


def in_classes(names: Names, text: str) -> str:
    """Replaces the IDL's names of errors by the names of their classes."""
    classes = {e.name: error_class(e) for e in names.model.whole.errors}
    return re.sub(r"\b[A-Z_]{2,}\b", lambda found: classes.get(found[0], found[0]), text)
