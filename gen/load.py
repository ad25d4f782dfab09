# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads IDL files into a model. A fault in a file raises Mistake and no other exception."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from gen import model as m
from gen.language import Language
from gen.locate import assigned_names, in_order, located, parse
from gen.model import Mistake, Place


def load(paths: Iterable[Path], extension: Collection[Path] = ()) -> m.Model:
    """Returns the model that the files describe together. A name that one file assigns can be used in
    all files.

    The files in `extension` describe an extension. The other files describe the library that it extends.
    """
    extending = {str(path) for path in extension}
    trees = {str(path): parse(path) for path in paths}
    declared = {name for tree in trees.values() for name in assigned_names(tree)}
    language = Language()
    names = language.names()
    for file in in_order(trees):
        language.begin(file, file in extending)
        language.model.files.append(file)
        run(file, located(trees[file], file, language.constructors()), names, declared)
    refuse_recursion(language.model)
    return language.finish()


def refuse_recursion(model: m.Model) -> None:
    """Refuses a type that contains itself. A file makes such a type by changing the type after
    its declaration."""
    done: set[m.Type] = set()

    def visit(kind: m.Type, within: tuple[m.Type, ...]) -> None:
        if kind in within:
            raise Mistake(kind.place, f"{type(kind).__name__} {kind.name or None} contains itself")
        if kind not in done:
            for inner in m.parts(kind):
                visit(inner, (*within, kind))
            done.add(kind)

    for kind in model.types:
        visit(kind, ())


def run(file: str, tree: ast.Module, names: dict[str, Any], declared: Collection[str]) -> None:
    """Runs a file. `declared` has all names that the files assign."""
    try:
        exec(compile(tree, file, "exec"), names)
    except Mistake:
        raise
    except NameError as error:
        message = str(error)
        if error.name in declared:
            message = f"{error.name} is used before it is declared: no type can contain itself"
        raise Mistake(Place(file, line_of(error, file)), message) from None
    # An IDL file is a Python program, so the file can raise any exception.
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).replace("TypeLanguage.idl_", "").replace("Language.idl_", "").split())
        raise Mistake(Place(file, line_of(error, file)), message or type(error).__name__) from None


def line_of(error: BaseException, file: str) -> int:
    """Returns the line of the file at which the error was raised."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return lines[-1] if lines and lines[-1] else 1
