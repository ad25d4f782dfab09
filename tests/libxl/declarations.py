# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the declarations in a set of C headers: functions, types with their members,
enumerators and macros."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycparser import c_ast, c_generator, c_parser

# The headers of libxl that are compared. libxl_json.h is not in the list. It has no name that this library
# has, and needs the yajl library.
HEADERS = ("libxl.h", "libxl_utils.h", "libxl_uuid.h", "libxl_event.h")

# The types of system headers that the libxl headers use. pycparser must know that these names are types.
SYSTEM = """
typedef int bool, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t;
typedef int size_t, ssize_t, pid_t, va_list, xentoollog_logger, xentoollog_level;
"""
MARKER = re.compile(r'# \d+ "([^"]*)"')
MACRO = re.compile(r"#define (\w+)(?: (.*))?$")
NAMES = re.compile(r"(LIBXL|ERROR|INVALID_DOMID)")


@dataclass
class Declarations:
    """The declarations of a set of headers, by name. A member's name is its path in the type, for example
    `u.disk_eject.vdev`."""

    functions: dict[str, str] = field(
        default_factory=dict
    )  # the prototype, in which the function is called `@`
    # The members of each type. A typedef without members has an empty set.
    members: dict[str, set[str]] = field(default_factory=dict)
    enumerators: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)  # The macros without parameters, except texts.
    texts: set[str] = field(default_factory=set)


def include(folders: Sequence[Path]) -> list[str]:
    return [f"-I{folder}" for folder in folders]


def preprocess(folders: Sequence[Path], *options: str) -> str:
    source = "".join(f"#include <{header}>\n" for header in HEADERS)
    command = ["gcc", "-std=gnu11", "-E", *options, *include(folders), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def read(folders: Sequence[Path]) -> Declarations:
    """Reads the libxl headers. Looks for the headers first in `folders`, and then in the system's folders."""
    found = Declarations()
    for node in parse(preprocess(folders)):
        if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            found.functions[node.name] = prototype(node)
        elif isinstance(node, c_ast.Typedef):
            found.members[node.name] = set(paths(node.type.type))
        found.enumerators |= set(enumerators(node))
    macros(preprocess(folders, "-dM"), found)
    return found


def parse(text: str) -> Iterator[c_ast.Node]:
    """Yields the top-level declarations of the files whose names contain "libxl"."""
    lines, ours = [], False
    for line in text.splitlines():
        if marker := MARKER.match(line):
            ours = "libxl" in Path(marker[1]).name
        elif ours:
            lines.append(line)
    source = re.sub(r"__attribute__ ?\(\(.*?\)\)|__extension__", "", "\n".join(lines))
    yield from c_parser.CParser().parse(SYSTEM + source).ext


def prototype(node: c_ast.Decl) -> str:
    text = c_generator.CGenerator().visit(c_ast.Decl(node.name, [], [], [], [], node.type, None, None))
    return re.sub(rf"\b{node.name}\(", "@(", text, count=1)


def paths(kind: c_ast.Node, before: str = "") -> Iterator[str]:
    """Yields the members of a struct or union, including the members of unnamed structs and unions
    inside it."""
    if not isinstance(kind, (c_ast.Struct, c_ast.Union)):
        return
    for member in kind.decls or []:
        path = f"{before}{member.name}"
        yield path
        if isinstance(member.type, c_ast.TypeDecl):
            yield from paths(member.type.type, f"{path}.")


def enumerators(node: c_ast.Node) -> Iterator[str]:
    if isinstance(node, c_ast.Enumerator):
        yield node.name
    for _, child in node.children():
        yield from enumerators(child)


def macros(text: str, found: Declarations) -> None:
    for line in text.splitlines():
        if (macro := MACRO.match(line)) and NAMES.match(macro[1]) and macro[2]:
            (found.texts if macro[2].startswith('"') else found.numbers).add(macro[1])
