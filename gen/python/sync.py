# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes _sync_operations.py: the methods of aioxen.sync, from the same table as those of aioxen."""

from __future__ import annotations

from gen import model as m
from gen.python.names import HEAD, Names, docstring, function, inputs, is_domid, operations
from gen.python.names import call as called
from gen.python.operations import (
    BY_HAND,
    TIMEOUT,
    context_parameters,
    document,
    domain_name,
    keywords,
    parameter,
    reports,
    returned,
)

IMPORTS = '''"""Every operation of the library, as a method that waits until the operation is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from types import EllipsisType
from typing import TYPE_CHECKING, TypeVar

from aioxen import types
from aioxen._spec import DomainBase, DomainLike, Progress

if TYPE_CHECKING:
    from uuid import UUID

    from aioxen import context, domain
    from aioxen.sync import Domain

T = TypeVar("T")


class OperationsBase(ABC):
    """Declares what the generated methods use."""

    @property
    @abstractmethod
    def _core(self) -> context.Context:
        """The asynchronous context, which starts the operations."""

    @abstractmethod
    def _run(self, operation: Awaitable[T], /) -> T:
        """Waits until the operation is done, and returns its result."""

    @abstractmethod
    def _handle(self, found: domain.Domain, /) -> Domain:
        """Returns the synchronous handle of a domain."""


class ContextOperations(OperationsBase):
    """The operations of aioxen on a context. Each method waits until its operation is done."""
'''

DOMAIN = '''

class DomainOperations(DomainBase):
    """The operations of aioxen on a domain. Each method waits until its operation is done."""

    __slots__ = ()

    _xen: ContextOperations
'''


def text(model: m.Model) -> str:
    names = Names(model)
    public = operations(model)
    about = [o for o in public if o.inputs and is_domid(o.inputs[0].kind) and o.name not in BY_HAND]
    parts = ["\n" + context_method(names, o) for o in public]
    parts += [DOMAIN, *("\n" + domain_method(names, o) for o in about)]
    body = "".join(parts)
    imports = IMPORTS
    if "Mapping[" in body:
        imports = imports.replace("import Awaitable\n", "import Awaitable, Mapping\n")
    if "Any" in body:
        imports = imports.replace("TYPE_CHECKING, TypeVar", "TYPE_CHECKING, Any, TypeVar")
    return HEAD + imports + body


def result(names: Names, operation: m.Operation) -> str:
    """Returns the type of the result: that of the future, without the future."""
    return returned(names, operation).partition("[")[2].removesuffix("]")


def options(operation: m.Operation) -> list[str]:
    """Returns the keywords of the call of another method."""
    return [f"timeout={TIMEOUT}", *(["progress=progress"] if reports(operation) else [])]


def context_method(names: Names, operation: m.Operation) -> str:
    o = operation
    start = called(f"operation = self._core.{o.python_name}", [*(f.name for f in inputs(o)), *options(o)], 8)
    value = "self._run(operation)"
    if len(o.results) == 1 and is_domid(o.results[0].kind):
        value = f"self._handle({value})"
    body = f"{start}        return {value}\n"
    head = function(o.python_name, ["self", *context_parameters(names, o)], result(names, o), 4)
    return head + docstring(document(names, o, stopped="Interrupted"), 8) + body


def domain_method(names: Names, operation: m.Operation) -> str:
    o = operation
    own = inputs(o)[1:]
    parameters = ["self", *(parameter(names, f) for f in own), *keywords(o)]
    body = called(f"return self._xen.{o.python_name}", ["self", *(f.name for f in own), *options(o)], 8)
    head = function(domain_name(o), parameters, result(names, o), 4)
    return head + docstring(document(names, o, of_domain=True, stopped="Interrupted"), 8) + body
