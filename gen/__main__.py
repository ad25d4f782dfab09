# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3 -m gen [FILE...] [--out DIR] [--only OUTPUT]: read the IDL, check it, write every output."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gen.check import check
from gen.load import load
from gen.model import Mistake
from gen.outputs import OUTPUTS, produce
from gen.write import write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m gen", description="Generate from the IDL.")
    add = parser.add_argument
    add("files", nargs="*", type=Path, metavar="FILE", help="default: idl/*.idl")
    add("--out", type=Path, default=Path("build/gen"), metavar="DIR", help="default: %(default)s")
    add("--only", action="append", choices=list(OUTPUTS), help="may be repeated; default: all")
    add("--verbose", action="store_true", help="name the files that changed")
    given = parser.parse_args()
    files: list[Path] = given.files or sorted(Path("idl").glob("*.idl"))
    if not files:
        print("no IDL file given, and no idl/*.idl here", file=sys.stderr)
        return 1
    try:
        model = load(files)
        mistakes = check(model)
        made = produce(model, given.only or OUTPUTS) if not mistakes else {}
    except Mistake as mistake:
        mistakes = [mistake]
    if mistakes:
        print(*mistakes, sep="\n", file=sys.stderr)
        return 1
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
