# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes docs/libxl-functions.md: each function of libxl, how it completes in libxl and here, and whether it
can block.

    /usr/bin/python3 tests/libxl/functions.py >docs/libxl-functions.md

libxl's functions come from Debian's headers, the operations from the IDL. The sources of src/lib and the
generated sources say which operations a hand-written function runs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from declarations import read

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
sys.path.insert(0, str(ROOT))

from gen.load import load  # noqa: E402
from gen.model import Operation, Speed  # noqa: E402

OURS = [ROOT / "src/include", BUILD / "gen/include"]
HELPERS = re.compile(r".*_(init(_\w+)?|dispose|copy|to_json|from_json|to_string|from_string)|\w+_0x\d+")
DEFINITION = re.compile(
    r"^(?:__attribute__\(.*\) )?[a-z][\w \*]*?\b(\w+)\([^;{]*\)\n\{\n(.*?)^\}", re.M | re.S
)
LISTS = re.compile(r"^LISTS\((\w+),(.*?)\)\)$", re.M | re.S)  # the form in which lists.c defines a function
CALL = re.compile(r"\b(\w+)\b(?=[(,;)])")
# The functions of this library that can wait although they run no operation, and what they wait for.
WAITS = {
    "libxl_ctx_free": "for workers",
    "libxl_event_wait": "for an event",
    "libxl_read_exactly": "for the descriptor",
    "libxl_read_file_contents": "for the file",
    "libxl_write_exactly": "for the descriptor",
    "libxl_userdata_retrieve": "for the file",
    "libxl_userdata_store": "for the file and its lock",
    "libxl_userdata_unlink": "for the file and its lock",
}
# The functions that can wait in libxl, while they run no operation that waits in this library.
WAITS_THERE = WAITS.keys() - {"libxl_ctx_free"} | {"libxl_domain_unpause"}
# The functions that exist here and refuse every call, and their errors.
REFUSED = {"libxl_domain_remus_start": "`ERROR_NI`"} | dict.fromkeys(
    (
        "libxl_tmem_freeable",
        "libxl_tmem_freeze",
        "libxl_tmem_list",
        "libxl_tmem_set",
        "libxl_tmem_shared_auth",
        "libxl_tmem_thaw",
    ),
    "`ERROR_FAIL`",
)
HEAD = """# The functions of libxl, and how they complete

`tests/libxl/functions.py` writes this page. [libxl.md](libxl.md) has the differences and their reasons.
The functions that each type has (`libxl_T_init` and so on) are not listed. They never block.

- "In libxl" says how the function completes in libxl 4.17. "ao_how" means that it takes a
  `libxl_asyncop_how`, by which the caller can choose an event or a callback.
- "Here" says the same of this library. "missing" means that a program that needs the function does not link,
  and that the function of the drop-in returns `ERROR_NI`. An error means that each call returns it.
- "Blocks in libxl" is "yes" if the function has to wait for another program, a file or an event. libxl 4.17
  asks xenstored in the calling thread, also if `ao_how` names a callback. With a stopped xenstored these
  did not return in 2 s: `libxl_domain_shutdown`, `libxl_domain_reboot`, `libxl_domain_unpause`,
  `libxl_domain_suspend`, `libxl_domain_destroy`, `libxl_device_disk_add`, `libxl_device_nic_add`. Here each
  of them returned in 0.3 ms or less.
- "Blocks here" is "NULL only" if the function blocks only when `ao_how` is NULL. "yes" means that
  the function runs an operation that waits, and returns at its end. The operation in the last column does
  the same without blocking.

| function | in libxl | here | blocks in libxl | blocks here | operation |
| --- | --- | --- | --- | --- | --- |
"""


def calls() -> dict[str, list[str]]:
    """Returns the names that each function of src/lib calls or passes to another function. A static function
    has the name of its file before its own name."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "src/lib").glob("*.c")):
        text = file.read_text()
        if file.name == "devices.c":
            text += (BUILD / "gen/src/_libxl_device_functions.h").read_text()
        bodies = dict(DEFINITION.findall(text)) | dict(LISTS.findall(text))
        local = {name: f"{file.name}:{name}" for name in bodies if not name.startswith("libxl_")}
        for name, body in bodies.items():
            found[local.get(name, name)] = [local.get(called, called) for called in CALL.findall(body)]
    return found


def runs(name: str, found: dict[str, list[str]], operations: dict[str, Operation]) -> list[Operation]:
    """Returns the operations that a hand-written function runs."""
    todo, seen, result = [name], {name}, []
    while todo:
        for called in found.get(todo.pop(0), []):
            if called in seen:
                continue
            seen.add(called)
            if called in operations:
                result.append(operations[called])
            else:
                todo.append(called)
    return result


def rows() -> Iterator[str]:
    theirs, ours = read([]).functions, read(OURS).functions
    model = load(sorted((ROOT / "idl").glob("*.idl")))
    operations = {o.c_name: o for o in model.operations if not o.hidden}
    found = calls()
    for name in sorted(theirs):
        if not re.match(r"libxl_(?!_)", name) or HELPERS.fullmatch(name):
            continue
        there = "ao_how" if "asyncop_how" in theirs[name] else "on return"
        if name not in ours:
            yield f"| `{name}` | {there} | missing | yes | | |\n"
            continue
        # The parameter `how` of libxl_ao_abort names the operation to abort. The call completes on return.
        if name == "libxl_ao_abort":
            there = "on return"
        here = "ao_how" if "asyncop_how" in ours[name] and there == "ao_how" else "on return"
        used = [operations[name]] if name in operations else runs(name, found, operations)
        waiting = any(o.speed is not Speed.INSTANT for o in used)
        blocks = "NULL only" if waiting and here == "ao_how" else "yes" if waiting else WAITS.get(name, "no")
        refused_here = there == "ao_how" and name in REFUSED
        blocks_there = "yes" if waiting or name in WAITS_THERE or refused_here else "no"
        if name in REFUSED:
            here, blocks = REFUSED[name], "no"
        operations_used = ", ".join(o.name for o in used)
        yield f"| `{name}` | {there} | {here} | {blocks_there} | {blocks} | {operations_used} |\n"


def page() -> str:
    return HEAD + "".join(rows())


if __name__ == "__main__":
    sys.stdout.write(page())
