# SPDX-License-Identifier: LGPL-2.1-or-later
"""Converts the public C headers to the text that cffi parses.

The headers use only declarations that cffi's parser knows. So this module only removes comments and
preprocessor lines. The package needs no second list of declarations, which could differ from the headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

# The declarations of system headers that the public headers use.
SYSTEM = """
typedef int pid_t;
typedef ... xentoollog_logger;
typedef enum { XTL_NONE, ... } xentoollog_level;
struct pollfd { int fd; short events; short revents; };
struct timeval { long tv_sec; long tv_usec; };
void free(void *memory);
"""

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
INCLUDE = re.compile(r'#\s*include\s*[<"](\w+\.h)[>"]')
CONSTANT = re.compile(r"#\s*define\s+([A-Z]\w*)\s+[^\s\\\"]")
ARRAY = re.compile(r"typedef\s+[\w\s]+?\b(\w+)\s*\[")
HIDDEN = re.compile(r'__attribute__\(\(visibility\("hidden"\)\)\)[^;]*;')


def declarations(headers: Sequence[str], folders: Sequence[Path]) -> str:
    """Returns the text for cffi's cdef: `headers` and the library headers that they include. Each header
    occurs once."""
    seen: set[str] = set()
    lines = [line for header in headers for line in expand(header, folders, seen)]
    return SYSTEM + usable("\n".join(lines))


def usable(text: str, included: str = "") -> str:
    """Returns the declarations that cffi can compile. `included` has the declarations of another module,
    which cffi includes into this module.

    Hidden functions are removed. `const` before an array type is removed, too, because cffi would write wrong
    C for it.
    """
    text = HIDDEN.sub("", text)
    for name in set(ARRAY.findall(included + text)):
        text = re.sub(rf"\bconst\s+{name}\b", name, text)
    return text


def expand(header: str, folders: Sequence[Path], seen: set[str]) -> Iterator[str]:
    if header in seen:
        return
    seen.add(header)
    text = COMMENT.sub(" ", find(header, folders).read_text(encoding="utf-8")).replace("\\\n", " ")
    skipped: list[bool] = []  # One entry for each open #if. True: its lines are skipped.
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            if not any(skipped):
                yield line
        elif re.match(r"\s*#\s*if", line):
            skipped.append("ifndef" not in line)
        elif re.match(r"\s*#\s*else", line):
            skipped[-1] = not skipped[-1]
        elif re.match(r"\s*#\s*endif", line):
            skipped.pop()
        elif not any(skipped) and (include := INCLUDE.match(line.strip())):
            # The header is not a system header.
            if any((folder / include[1]).is_file() for folder in folders):
                yield from expand(include[1], folders, seen)
        elif not any(skipped) and (constant := CONSTANT.match(line.strip())):
            yield f"#define {constant[1]} ..."


def find(header: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if (folder / header).is_file():
            return folder / header
    raise FileNotFoundError(f"{header}: not in {', '.join(map(str, folders))}")
