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
from gen.locate import in_order, located, parse
from gen.model import Mistake, Place


def load(paths: Iterable[Path], extension: Collection[Path] = ()) -> m.Model:
    """The model that the files describe together. Names assigned in one file are visible in the others.

    Those in `extension` extend the library that the others describe.
    """
    extending = {str(path) for path in extension}
    trees = {str(path): parse(path) for path in paths}
    language = Language()
    names = language.names()
    for file in in_order(trees):
        language.begin(file, file in extending)
        language.model.files.append(file)
        run(file, located(trees[file], file, language.constructors()), names)
    return language.finish()


def run(file: str, tree: ast.Module, names: dict[str, Any]) -> None:
    try:
        exec(compile(tree, file, "exec"), names)
    except Mistake:
        raise
    except (Exception, SystemExit) as error:  # the file is a program, and can raise anything
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        message = " ".join(str(error).replace("TypeLanguage.idl_", "").replace("Language.idl_", "").split())
        raise Mistake(
            Place(file, lines[-1] if lines and lines[-1] else 1), message or type(error).__name__
        ) from None
