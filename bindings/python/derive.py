# SPDX-License-Identifier: LGPL-2.1-or-later
"""Derives aioxen/_sync_derived.py from store.py, transaction.py and context.py, so that the methods of
aioxen.sync are not written twice. setup.py calls text().

Each public method of the classes Store and Transaction becomes a method that waits:

    def f(...) -> Operation[T], async def f(...) -> T     def f(...) -> T
    async def f(...) -> AsyncGenerator[T, None]           def f(...) -> Iterator[T]
    def f(...) -> StoreWatch                              def f(...) -> Events[StoreChanged]
    a parameter Callable[[Transaction], Awaitable[T]]     Callable[[Transaction], T]
    __aenter__, __aexit__                                 __enter__, __exit__

Of Context, it derives the methods that begin a subscription, with their overloads. The docstrings are the
same, without `await` and `async`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

HERE = Path(__file__).resolve().parent / "aioxen"
CLASSES = {"store": "Store", "transaction": "Transaction"}
SUBSCRIPTIONS = ("events", "device_events")

HEAD = '''# SPDX-License-Identifier: LGPL-2.1-or-later
# Derived from store.py, transaction.py and context.py by bindings/python/derive.py. Do not edit.
# fmt: off
"""xenstore and subscriptions for programs without an event loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from aioxen.types import Event

if TYPE_CHECKING:
    from aioxen import context, store, transaction
    from aioxen._spec import DomainLike
    from aioxen._subscription import Subscription
    from aioxen.context import DeviceEvent, DomainEvent
    from aioxen.sync import Context, Events
    from aioxen.transaction import Names
    from aioxen.types import StoreChanged, StorePermissions

__all__ = ["Store", "Subscriptions", "Transaction"]

T = TypeVar("T")
E = TypeVar("E", bound=Event)


class Subscriptions(ABC):
    """The methods of aioxen.sync.Context that begin a subscription."""

    _async: context.Context

    @abstractmethod
    def _subscription(self, begin: Callable[[], Subscription[E]]) -> Events[E]:
        """Begins a subscription in the loop."""
'''

TURN = "Callable[[Transaction], Awaitable[T]]"


def text() -> str:
    """Returns the module."""
    classes = "".join(_class(module, name) for module, name in CLASSES.items())
    return HEAD + "".join(_subscriptions()) + classes


def _parsed(module: str, name: str) -> ast.ClassDef:
    """Returns a class of a module of the package."""
    tree = ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return found


def _subscriptions() -> Iterator[str]:
    for node in _parsed("context", "Context").body:
        if isinstance(node, ast.FunctionDef) and node.name in SUBSCRIPTIONS:
            assert node.returns is not None
            head = f"    def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}:"
            if node.decorator_list:
                yield f"\n    @overload\n{head} ...\n"
            else:
                call = f"self._async.{node.name}({_given(node)})"
                yield f"\n{head.replace('[Event]', '[Any]')}\n{_docstring(ast.get_docstring(node) or '', 8)}"
                yield f"        return self._subscription(lambda: {call})\n"


def _class(module: str, name: str) -> str:
    found = _parsed(module, name)
    doc = ast.get_docstring(found)
    assert doc is not None
    return (
        f"\n\nclass {name}:\n{_docstring(doc, 4)}\n"
        '    __slots__ = ("_core", "_xen")\n\n'
        f"    def __init__(self, xen: Context, core: {module}.{name}) -> None:\n"
        "        self._xen = xen\n        self._core = core\n" + "".join(_methods(found))
    )


def _methods(found: ast.ClassDef) -> Iterator[str]:
    for node in found.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
            node.name[0] != "_" or node.name in ("__aenter__", "__aexit__", "__repr__")
        ):
            yield "\n" + _method(node)


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    assert node.returns is not None and node.args.vararg is None and node.args.kwarg is None
    returned, turns = ast.unparse(node.returns), False
    for argument in [*node.args.args, *node.args.kwonlyargs]:
        if argument.annotation is not None and ast.unparse(argument.annotation) == TURN:
            argument.annotation = ast.parse(TURN.replace("Awaitable[T]", "T"), mode="eval").body
            turns = True
    call = f"self._core.{node.name}({_given(node)})"
    generator = re.fullmatch(r"AsyncGenerator\[(.*), None\]", returned)
    if generator:
        returned, body = f"Iterator[{generator[1]}]", f"return self._xen._each({call})"
    elif returned == "StoreWatch":
        returned, body = "Events[StoreChanged]", f"return self._xen._subscription(lambda: {call})"
    elif returned == "Transaction":
        body = f"return Transaction(self._xen, {call})"
    elif turns:
        call = call.replace("(function", "(turn")
        body = (
            "def run(core: transaction.Transaction) -> T:\n"
            "    return function(Transaction(self._xen, core))\n\n"
            f"def begin(turn: {TURN.replace('[T', '[transaction.T', 1)}) -> Awaitable[T]:\n"
            f"    return {call}\n\n"
            "return self._xen._in_turns(run, begin)"
        )
    elif isinstance(node, ast.AsyncFunctionDef) or returned.startswith("Operation["):
        returned = re.sub(r"^Operation\[(.*)\]$", r"\1", returned)
        body = f"self._xen._run({call})"
        body = f"{body}\nreturn self" if returned == "Self" else f"return {body}"
    else:
        body = f"return {call}"
    name = node.name.replace("__a", "__")
    if node.name == "__repr__":
        body = "return repr(self._core)"
    doc = ast.get_docstring(node)
    return (
        f"    def {name}({ast.unparse(node.args)}) -> {returned}:\n"
        + (_docstring(doc, 8) if doc else "")
        + indent(body, " " * 8)
        + "\n"
    )


def _given(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Returns the arguments of a call with a method's own parameters."""
    names = [argument.arg for argument in node.args.args[1:]]
    return ", ".join([*names, *(f"{a.arg}={a.arg}" for a in node.args.kwonlyargs)])


def _docstring(doc: str, margin: int) -> str:
    doc = re.sub(r"\bawait |\basync (?=with|for)", "", doc).replace("aclose()", "close()")
    end = "\n" if "\n" in doc else ""
    return indent(f'"""{doc}{end}"""', " " * margin) + "\n"
