# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the line numbers of declarations in IDL files, and the order in which the files run.

An IDL file is Python. Before it runs, every tuple, every constructor call and every string in a
list gets its line: `("a", uint8)` becomes `_item(7, ("a", uint8))`, `Struct(...)` becomes
`Struct(..., _at=(7, (("doc", 9), ...)))`, `["FAIL"]` becomes `[_word(7, "FAIL")]`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen.model import Mistake, Place

At = tuple[int, tuple[tuple[str, int], ...]]  # The line of a call, and the lines of the call's keywords.


class Item(tuple[Any, ...]):
    """A tuple in an IDL file, with its line number."""

    line: int

    @classmethod
    def at(cls, line: int, values: tuple[Any, ...]) -> Item:
        item = cls(values)
        item.line = line
        return item


class Word(str):
    """A string in a list in an IDL file, with its line number."""

    line: int

    @classmethod
    def at(cls, line: int, text: str) -> Word:
        word = cls(text)
        word.line = line
        return word


@dataclass
class Lines:
    """The line numbers of a constructor call and of its keywords."""

    file: str
    call: int
    keywords: dict[str, int]

    def place(self, keyword: str = "") -> Place:
        """Returns the place of a keyword. If the call has no such keyword, returns the place of the call."""
        return Place(self.file, self.keywords.get(keyword, self.call))

    def of(self, thing: object) -> Place:
        """Returns the place of a tuple or a word. If the thing has no line, returns the place of the call."""
        return Place(self.file, thing.line if isinstance(thing, (Item, Word)) else self.call)


class Locate(ast.NodeTransformer):
    """Adds line numbers to a file's syntax tree: to each call of a constructor, and to each tuple, list
    and word."""

    def __init__(self, constructors: Iterable[str]) -> None:
        self.constructors = frozenset(constructors)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self.constructors:
            keywords = tuple((k.arg, k.value.lineno) for k in node.keywords if k.arg)
            node.keywords.append(ast.keyword("_at", ast.Constant((node.lineno, keywords))))
        return node

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        self.generic_visit(node)
        return self.wrapped("_item", node) if isinstance(node.ctx, ast.Load) else node

    def visit_List(self, node: ast.List) -> ast.AST:
        self.generic_visit(node)
        node.elts = [
            self.wrapped("_word", e) if isinstance(e, ast.Constant) and isinstance(e.value, str) else e
            for e in node.elts
        ]
        return node

    @staticmethod
    def wrapped(function: str, node: ast.expr) -> ast.expr:
        call = ast.Call(ast.Name(function, ast.Load()), [ast.Constant(node.lineno), node], [])
        return ast.copy_location(call, node)


def parse(path: Path) -> ast.Module:
    """Returns a file's syntax tree."""
    shown = str(path)
    try:
        return ast.parse(path.read_text(encoding="utf-8"), shown)
    except SyntaxError as error:
        raise Mistake(Place(shown, error.lineno or 1), f"not valid Python: {error.msg}") from None
    except (UnicodeDecodeError, ValueError):
        raise Mistake(Place(shown, 1), "not UTF-8 text") from None
    except OSError as error:
        raise Mistake(Place(shown, 1), f"cannot be read: {error.strerror}") from None
    except (RecursionError, MemoryError):
        raise too_deep(shown) from None


def located(tree: ast.Module, file: str, constructors: Iterable[str]) -> ast.Module:
    """Returns the tree with the line numbers of its declarations written into it."""
    try:
        written: ast.Module = Locate(constructors).visit(tree)
        return ast.fix_missing_locations(written)
    except RecursionError:
        raise too_deep(file) from None


def too_deep(file: str) -> Mistake:
    return Mistake(Place(file, 1), "an expression is nested too deeply")


def in_order(trees: dict[str, ast.Module]) -> list[str]:
    """Returns the files in the order in which they run. A file runs after the files that assign the names
    it uses. Otherwise the given order is kept."""
    assigned = {file: set(assigned_names(tree)) for file, tree in trees.items()}
    used = {file: set(used_names(tree)) - assigned[file] for file, tree in trees.items()}
    ordered: list[str] = []
    waiting = list(trees)
    while waiting:
        ready = [f for f in waiting if not any(used[f] & assigned[o] for o in waiting if o != f)]
        ordered.append((ready or waiting)[0])
        waiting.remove(ordered[-1])
    return ordered


def assigned_names(tree: ast.Module) -> Iterable[str]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            yield from (t.id for t in statement.targets if isinstance(t, ast.Name))


def used_names(tree: ast.Module) -> Iterable[str]:
    return (n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
