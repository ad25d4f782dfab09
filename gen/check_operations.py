# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds mistakes in an operation, and in the fields of types, events and operations."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gen import c
from gen import model as m
from gen.check_names import check_doc, check_name, check_since, unique, words
from gen.check_phases import check_phases
from gen.model import Mistake

# Keywords of C++ are refused as names of inputs and results, because C++ programs include the prototypes.
# These keywords are accepted as names of fields, because Xen's own types have such fields.
CPP_KEYWORDS = words(
    """alignas alignof and_eq bitand bitor catch char16_t char32_t char8_t co_await co_return co_yield compl
    concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export friend
    mutable namespace new noexcept not_eq nullptr operator or_eq private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw typeid typename using virtual wchar_t
    xor xor_eq"""
)
# The names that the bodies of generated Python methods use.
OF_METHODS = words("Keep _convert ffi keep types v")
FLT_MAX = sys.float_info.max
NOT_ABORTABLE = "Not abortable"


def check_field(given: m.Field, what: str) -> Iterator[Mistake]:
    here = f"{what}.{given.name}"
    yield from check_name(given.name, given.place, here)
    if given.const and not isinstance(given.type, m.Array) and not given.kind.c_name.endswith("*"):
        yield Mistake(given.place, f"{here}: only strings and arrays can be const")
    if given.min is None and given.max is None:
        return
    if given.min is not None and given.max is not None and given.min > given.max:
        yield Mistake(given.place, f"{here}: min is greater than max")
    if isinstance(given.type, m.Array):
        limits: tuple[float, float] | None = (0, (1 << 31) - 1)
    elif isinstance(given.type, m.Number):
        limits = given.type.range
    elif isinstance(given.type, m.Float):
        limits = (-FLT_MAX, FLT_MAX)
    else:
        yield Mistake(given.place, f"{here}: only numbers and arrays can have min and max")
        return
    for bound in given.min, given.max:
        if isinstance(bound, float) and not isinstance(given.type, m.Float):
            yield Mistake(given.place, f"{here}: {bound} does not fit {given.kind.c_name or 'a length'}")
            continue
        if bound is not None and limits and not limits[0] <= bound <= limits[1]:
            yield Mistake(given.place, f"{here}: {bound} does not fit {given.kind.c_name or 'a length'}")


def check_fields(fields: list[m.Field], what: str) -> Iterator[Mistake]:
    yield from unique(((f.name, f.place) for f in fields), f"{what}: field")
    for f in fields:
        yield from check_field(f, what)
        yield from check_doc(f"{what}.{f.name}", f.doc, f.place)
        for kind in walk_once(f):
            if kind.c_name == "void *":
                yield Mistake(
                    f.place, f"{what}.{f.name}: void * is not allowed, because nothing says who frees it"
                )


def walk_once(f: m.Field) -> Iterator[m.Type]:
    return m.walk(f.type) if f.type is not None else iter(())


def check_operation(o: m.Operation, common: list[m.Error]) -> Iterator[Mistake]:
    what = f"Operation {o.name}"
    yield from check_name(o.name, o.place, "Operation")
    if o.python_name != o.name:
        yield from check_name(o.python_name, o.at("python"), f"{what}: python")
    yield from check_doc(what, o.doc, o.at("doc"))
    yield from check_since(what, o.since, o.at("since"))
    if o.shares and not o.phases:
        yield Mistake(o.at("shares"), f"{what}: shares: an operation without phases shares none")
    if o.hidden and "python" in o.keywords:
        yield Mistake(o.at("python"), f"{what}: python: a hidden operation is not in Python")
    if o.hidden and o.progress is not None:
        yield Mistake(o.at("progress"), f"{what}: progress: a hidden operation reports no progress")
    if not o.abort:
        yield Mistake(o.place, f"{what}: abort is missing: say what an abort leaves behind")
    else:
        yield from check_doc(f"{what}: abort", o.abort, o.at("abort"))
    if o.abort.startswith(NOT_ABORTABLE) and not o.abort.startswith(NOT_ABORTABLE + ": "):
        yield Mistake(o.at("abort"), f'{what}: "{NOT_ABORTABLE}: " needs a reason')
    if o.limit is not None and not 0 < o.limit <= 1_000_000:
        yield Mistake(o.at("limit"), f"{what}: limit is in seconds, above 0, or None, not {o.limit}")
    if o.limit is not None and o.speed is m.Speed.INSTANT:
        yield Mistake(o.at("limit"), f"{what}: limit: an instant operation has no time limit")
    if o.progress is not None and o.speed is m.Speed.INSTANT:
        yield Mistake(o.at("progress"), f"{what}: progress: an instant operation reports no progress")
    if not o.errors:
        yield Mistake(o.at("errors"), f"{what}: no errors")
    for error in o.errors:
        if error in common:
            message = f"{what}: {error.name} is common to all operations: do not list it"
            yield Mistake(o.at("errors"), message)
    taken = ["ctx", "ao_how", f"aop_{o.progress_what}_how", "ao", "args", "rc", "self", "limit", "progress"]
    for f in o.inputs + o.results:
        if f.name in taken:
            yield Mistake(f.place, f"{what}: {f.name} is the name of a parameter that every operation has")
        if f in o.inputs and f.name in OF_METHODS | {f"c_{other.name}" for other in o.inputs}:
            yield Mistake(f.place, f"{what}: {f.name} is a name that the generated Python method uses")
        if f.name in CPP_KEYWORDS:
            yield Mistake(f.place, f"{what}.{f.name}: {f.name} is a keyword of C++")
        if f.type is not None and f.type.name is None:
            yield Mistake(f.place, f"{what}.{f.name}: wrap it in a named Struct")
        if f.optional and f"has_{f.name}" in [g.name for g in o.inputs]:
            yield Mistake(f.place, f"{what}: has_{f.name} is a name that the operation's arguments use")
    yield from check_defaults(o, what)
    yield from check_phases(o, common)
    yield from check_fields(o.inputs + o.results, what)
    for fields, needed, verb in ((o.inputs, m.DIR_IN, "takes"), (o.results, m.DIR_OUT, "gives")):
        for f in fields:
            if not f.kind.dir & needed:
                yield Mistake(f.place, f"{what}.{f.name}: dir: the library never {verb} a {f.kind.name}")
    yield from check_undo(o, what)


def check_defaults(o: m.Operation, what: str) -> Iterator[Mistake]:
    """Yields mistakes in optional inputs and inputs with a default. In Python, such inputs must come after
    all other inputs."""
    earlier: m.Field | None = None
    for f in o.inputs:
        if f.optional and not c.is_pointer(f.kind):
            message = f"a {f.kind.name} is passed by value: only init_val can be its default"
            yield Mistake(f.place, f"{what}.{f.name}: optional: {message}")
        if f.optional and f.init_val is not None:
            yield Mistake(f.place, f"{what}.{f.name}: optional: init_val is its default already")
        if f.optional or f.init_val is not None:
            earlier = earlier or f
        elif earlier is not None:
            yield Mistake(
                f.place, f"{what}.{f.name}: has no default, and follows {earlier.name}, which has one"
            )


def check_undo(o: m.Operation, what: str) -> Iterator[Mistake]:
    if o.undo is not None:
        if o.hidden:
            yield Mistake(o.at("undo"), f"{what}: undo means nothing here: the operation is hidden")
        if o.undo is o:
            yield Mistake(o.at("undo"), f"{what}: undo: an operation cannot undo itself")
            return
        if not o.undo.inputs:
            yield Mistake(o.at("undo"), f"{what}: undo: {o.undo.name} has no input that says what to undo")
        if o.undo.hidden:
            yield Mistake(o.at("undo"), f"{what}: undo: {o.undo.name} is hidden")
        wanted, there = [f.type for f in o.undo.inputs], [f.type for f in o.results]
        if not all(w in there for w in wanted):
            yield Mistake(
                o.at("undo"),
                f"{what}: undo: {o.undo.name} has an input that is not a result of this operation",
            )
        for f in o.results:
            if f.type in wanted and f.kind.owns:
                message = f"{what}: undo: {f.name} owns memory, so {o.undo.name} cannot take it"
                yield Mistake(o.at("undo"), message)
