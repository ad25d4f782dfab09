# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds names that Python cannot use. Such a name belongs to hand-written code, or stands for two things.

The generator makes no Python package from an IDL that has only types. So this module does not check the names
of such an IDL.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterator

from gen import model as m
from gen.check_names import unique, words
from gen.model import Mistake, Place
from gen.python.names import Names, camel, error_class, is_domid
from gen.python.names import operations as in_python
from gen.python.operations import BY_HAND, domain_name

# The names of the hand-written classes in bindings/python/aioxen, and of their attributes.
# tests/gen/test_gen_names.py compares these lists with the classes.
CONTEXT = words(
    "aclose close closed counters device_events domain domain_class domains events operations receive restore"
    " store"
)
DOMAIN = words("console domid migrate reboot save shutdown soft_reset state uuid")
CLASSES = words(
    "Console Context Counters Domain DomainState DomainStatus DomainView Domains Error Event Events"
    " EventsLost Fields Operation PermissionError UUID XlFileError XlFileWarning"
)


def check_python(model: m.Model) -> Iterator[Mistake]:
    if not model.operations and not model.events:
        return
    yield from names_of_operations(in_python(model))
    yield from classes(model)
    for event in model.events:
        for f in event.fields:
            if f.name in ("domid", "uuid"):
                yield Mistake(f.place, f"Event {event.name}.{f.name}: every event in Python has this field")
    for s in model.structs:
        for f in s.fields:
            if f.name == "self":
                yield Mistake(f.place, f"Struct {s.name}.self: self is reserved in Python")


def names_of_operations(public: list[m.Operation]) -> Iterator[Mistake]:
    methods: list[tuple[str, Place]] = []
    for o in public:
        what, place = f"Operation {o.name}", o.at("python")
        if o.python_name in CONTEXT or o.python_name.startswith("_"):
            message = f"{o.python_name} is a name of Context in Python: give another one with python="
            yield Mistake(place, f"{what}: {message}")
        if o.name in BY_HAND or not o.inputs or not is_domid(o.inputs[0].kind):
            continue
        name = domain_name(o)
        if name in DOMAIN or name.startswith("_") or not name.isidentifier() or keyword.iskeyword(name):
            taken = "is a name of" if name in DOMAIN else "cannot be a method of"
            message = f"{name!r} {taken} Domain in Python: give another one with python="
            yield Mistake(place, f"{what}: {message}")
        methods.append((name, place))
    yield from unique(methods, "method of Domain in Python")


def classes(model: m.Model) -> Iterator[Mistake]:
    """Yields mistakes in class names: the classes of types, events and errors share one namespace in
    the package."""
    names = Names(model)
    made = [(camel(e.name or ""), e.place, f"Enumeration {e.name}") for e in names.enumerations]
    made += [(name, s.place, f"Struct {s.name or name}") for s, name in names.structs.items()]
    made += [(camel(e.name), e.place, f"Event {e.name}") for e in model.events]
    made += [(error_class(e), e.place, f"error {e.name}") for e in model.errors]
    first: dict[str, str] = {}
    order = {file: number for number, file in enumerate(model.files)}
    for name, place, what in sorted(made, key=lambda row: (order.get(row[1].file, 0), row[1].line)):
        if name in CLASSES or not name.isidentifier() or keyword.iskeyword(name):
            taken = "is another class of the package" if name in CLASSES else "is not a name"
            yield Mistake(place, f"{what}: its class in Python would be {name!r}, which {taken}")
        elif hasattr(builtins, name):
            yield Mistake(
                place, f"{what}: its class in Python would be {name!r}, which is the name of a builtin"
            )
        elif first.get(name, what) != what:  # check.py reports two declarations of the same thing.
            yield Mistake(place, f"{what}: its class in Python, {name}, is that of {first[name]}")
        first.setdefault(name, what)
