# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3 -m gen [FILE...] [--out DIR] [--only OUTPUT]: read the IDL, check it, write every output.

python3 -m gen FILE... --extends DIR [--name NAME]: the same for an extension of the library whose IDL is in
DIR.
python3 -m gen [FILE...] --compare idl/released.json: report the changes that break users of the release.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from gen import extension
from gen.check import check, one_namespace
from gen.compare import PARTS, compare
from gen.load import load
from gen.model import Mistake, Place
from gen.outputs import OUTPUTS, produce
from gen.write import write


def report(mistakes: list[Mistake]) -> int:
    """Prints the mistakes. Returns the exit status."""
    print("".join(f"{mistake}\n" for mistake in mistakes), end="", file=sys.stderr)
    return 1 if mistakes else 0


def library(folder: Path | None) -> list[Path]:
    """Returns the IDL files of the library that an extension extends."""
    files = sorted(folder.glob("*.idl")) if folder else []
    if folder and not files:
        raise Mistake(Place(str(folder), 1), "no *.idl here")
    return files


def dump(path: Path) -> Any:
    """Reads the idl.json of a release."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Mistake(Place(str(path), 1), f"no dump of an IDL: {error}") from None
    for part in PARTS:
        if not isinstance(found, dict) or part not in found:
            raise Mistake(Place(str(path), 1), f"no dump of an IDL: it has no {part}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m gen", description="Generate from the IDL.")
    add = parser.add_argument
    add("files", nargs="*", type=Path, metavar="FILE", help="default: idl/*.idl")
    add("--out", type=Path, default=Path("build/gen"), metavar="DIR", help="default: %(default)s")
    add("--only", action="append", choices=list(OUTPUTS), help="may be repeated; default: all")
    add(
        "--extends",
        type=Path,
        metavar="DIR",
        help="the folder of the library's *.idl: FILEs are an extension",
    )
    add("--name", help="an extension's; default: the first FILE's")
    add("--compare", type=Path, metavar="DUMP", help="only compare with a release's idl.json")
    add("--soversion", type=int, metavar="N", help="the library's, for its dump and for --compare")
    add("--verbose", action="store_true", help="name the files that changed")
    given = parser.parse_args()
    files: list[Path] = given.files or sorted(Path("idl").glob("*.idl"))
    if not files:
        print("no IDL file given, and no idl/*.idl here", file=sys.stderr)
        return 1
    try:
        model = load([*library(given.extends), *files], extension=files if given.extends else ())
        model.soversion = given.soversion
        mistakes = check(model)
        if given.extends:
            model = model.extension(given.name or files[0].stem, {str(f) for f in files})
            mistakes += extension.check(model, str(files[0]))
        else:
            mistakes += one_namespace(model)
        if given.compare and not mistakes:
            return report(compare(dump(given.compare), model))
        made = produce(model, given.only or OUTPUTS) if not mistakes else {}
    except Mistake as mistake:
        mistakes = [mistake]
    if mistakes:
        return report(mistakes)
    try:
        changed = write(given.out, made)
    except OSError as error:
        print(f"{error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    if given.verbose:
        print("".join(f"{path}\n" for path in changed), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
