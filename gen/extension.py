# SPDX-License-Identifier: LGPL-2.1-or-later
"""Extensions of the library. An extension declares types, errors, events and operations in its own namespace.

The IDL of an extension is read together with the library's IDL, because an extension uses the library's
types, errors and operations. The outputs contain only the extension's own declarations. The operations of an
extension run in the library's contexts.
"""

from __future__ import annotations

import keyword
import sys
from collections.abc import Iterator
from pathlib import Path

from gen import c
from gen import model as m
from gen.check_names import words
from gen.model import Mistake, Place

FIRST = 1000
"""The first number of an extension's events. -FIRST is the first number of its errors."""

# The names of this project's modules, and of the modules with which an extension is built. An extension must
# not have such a name.
MODULES = words("aioxen cffi gen libxl")
# The names of other libraries that the linker could confuse with the extension's library.
LIBRARIES = words("c dl m pthread rt util z xenctrl xenguest xenstore xentoollog json-c")


def has_types(model: m.Model) -> bool:
    """Returns whether an extension has a header that declares types."""
    return bool(model.types or model.errors or model.events)


def folders_of_headers() -> Iterator[Path]:
    """Yields the folders of the headers that an extension's sources include. The folders are in this tree,
    or they belong to the installed library."""
    above = Path(__file__).resolve().parent.parent
    yield from (above / "src").glob("*/")
    yield from (above.parent.parent / "include", above.parent.parent / "include/aioxen/internal")


def check_extension_name(name: str, place: Place) -> Iterator[Mistake]:
    what = f"the extension's name is {name!r}"
    if not name.isidentifier() or keyword.iskeyword(name):
        yield Mistake(place, f"{what}: it must be a name for a Python package and a C header")
    elif name in sys.stdlib_module_names:
        yield Mistake(place, f"{what}: that is a module of Python's standard library")
    elif name in MODULES or any((folder / f"{name}.h").exists() for folder in folders_of_headers()):
        yield Mistake(place, f"{what}: that is a module or a header of aioxen")
    elif name in LIBRARIES:
        yield Mistake(place, f"{what}: lib{name} is a library that it is linked with")


def check(model: m.Model, file: str) -> Iterator[Mistake]:
    """Yields mistakes that only an extension can have. A wrong name is reported at `file`, the extension's
    first file."""
    assert model.base is not None
    taken = {o.namespace for o in model.base.operations if o not in model.operations}
    spaces: dict[str, Place] = {}
    yield from check_extension_name(model.name, Place(file, 1))
    for error in model.errors:
        if error.value > -FIRST:
            yield Mistake(error.place, f"error {error.name}: an extension's numbers begin at {-FIRST}")
        if not error.namespace:
            yield Mistake(error.place, f"error {error.name}: an extension has a namespace of its own")
    for event in model.events:
        if event.number < FIRST:
            yield Mistake(event.place, f"Event {event.name}: an extension's numbers begin at {FIRST}")
        if event.fields:
            yield Mistake(event.place, f"Event {event.name}: an extension's event carries no fields")
    for error in model.base.common_errors:
        if error in model.errors:
            yield Mistake(error.place, f"error {error.name}: the library's operations cannot give it")
    for d in model.device_functions:
        yield Mistake(d.place, f"DeviceFunctions {d.name}: only the library's classes have such functions")
    for o in model.operations:
        spaces.setdefault(o.namespace, o.place)
        if o.namespace in taken or not o.namespace:
            message = "an extension has a namespace of its own"
            yield Mistake(o.place, f"Operation {o.name}: {message}, not {o.namespace!r}")
    for space, place in list(spaces.items())[1:]:
        yield Mistake(place, f"namespace {space}: an extension's operations have one namespace")


def outputs(model: m.Model) -> dict[str, str]:
    """Returns include/NAME.h. Programs that use the extension include this header."""
    if model.base is None:
        return {}
    parts = ["types"] * has_types(model) + ["operations"] * bool(model.public_operations)
    text = '#include <libxl.h>\n\n#ifdef __cplusplus\nextern "C" {\n#endif\n\n'
    text += "".join(f"#include <_{model.name}_{part}.h>\n" for part in parts)
    text += "\n#ifdef __cplusplus\n}\n#endif\n"
    head = c.banner("An extension of aioxen.")
    return {f"include/{model.name}.h": head + c.guarded(f"{model.name}_H", text)}
