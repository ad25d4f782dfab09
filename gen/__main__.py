# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3 -m gen [FILE...] [--out DIR]: read the IDL, check it, write every output."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gen.check import check
from gen.load import load
from gen.model import Mistake
from gen.outputs import produce
from gen.write import write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m gen", description="Generate from the IDL.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: idl/*.idl")
    parser.add_argument("--out", type=Path, default=Path("build/gen"), metavar="DIR",
                        help="default: %(default)s")  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="name the files that changed")
    arguments = parser.parse_args()
    files: list[Path] = arguments.files or sorted(Path("idl").glob("*.idl"))
    if not files:
        print("no IDL file given, and no idl/*.idl here", file=sys.stderr)
        return 1
    try:
        model = load(files)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 1
    mistakes = check(model)
    if mistakes:
        print(*mistakes, sep="\n", file=sys.stderr)
        return 1
    try:
        changed = write(arguments.out, produce(model))
    except OSError as error:
        print(f"{error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    if arguments.verbose:
        print(*changed, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
