# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mistakes that no single constructor can see. Every run of the generator looks for them.

Whether names are usable and unique, whether everything is documented, whether limits make sense.

A file that documents one of its types documents them all; errors, events and operations are
always documented. (libxl's own type files document none.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from gen import model as m
from gen.check_names import check_doc, check_name, check_since, unique, words
from gen.check_phases import check_phases
from gen.model import Mistake

# Beside C's and Python's: operations can be called from C++. (Xen's own types have fields of such names.)
CPP_KEYWORDS = words(
    """alignas alignof and_eq bitand bitor catch char16_t char32_t char8_t co_await co_return co_yield compl
    concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export friend
    mutable namespace new noexcept not_eq nullptr operator or_eq private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw typeid typename using virtual wchar_t
    xor xor_eq"""
)
# What the bodies of generated methods in Python use.
OF_METHODS = words("Keep _convert ffi keep types v")
NOT_ABORTABLE = "Not abortable"


def check(model: m.Model) -> list[Mistake]:
    """Every mistake in the model, in order of files and lines."""
    # The types made of the events are checked as events.
    types = [t for t in model.types if t not in (model.event, model.event_type)]
    found = [
        *unique_names(model, types),
        *names_of_functions(model, types),
        *(mistake for t in types for mistake in check_type(t, title(t))),
        *undocumented_types(types),
        *(mistake for f, what in all_fields(model, types) for mistake in check_said(f, what)),
        *(mistake for s in model.structs for mistake in check_deprecated(s)),
        *check_errors(model),
        *check_events(model),
        *(mistake for o in model.operations for mistake in check_operation(o, model.common_errors)),
        *(mistake for f in model.functions for mistake in check_function(f)),
    ]
    once = {str(mistake): mistake for mistake in found}
    return sorted(once.values(), key=lambda mistake: mistake.place)


# Names


def unique_names(model: m.Model, types: list[m.Type]) -> Iterator[Mistake]:
    values = [v for t in types if isinstance(t, m.Enumeration) for v in t.values]
    yield from unique(((t.c_name, t.place) for t in types), "type")
    yield from unique(((v.c_name, v.place) for v in values), "enumeration value")
    yield from unique(((e.name, e.place) for e in model.errors), "error")
    yield from unique(((name, e.place) for e in model.events for name in (e.name, *e.aliases)), "event")
    yield from unique(((o.name, o.place) for o in model.operations), "operation")
    yield from unique(((f.c_name, f.place) for f in model.functions), "function")
    once = {o.name: o for o in reversed(model.public_operations)}.values()
    yield from unique(((o.python_name, o.at("python")) for o in reversed(once)), "Python operation")


def names_of_functions(model: m.Model, types: list[m.Type]) -> Iterator[Mistake]:
    """In C a type, an operation and the function of a type cannot share a name."""
    declared = [(t.c_name, t.place, title(t)) for t in types]
    declared += [(o.c_name, o.place, f"Operation {o.name}") for o in model.operations]
    declared += [(f.c_name, f.place, f"Function {f.name}") for f in model.functions]
    made = {name: t for t in types for name in functions(t)}
    for name, place, what in declared:
        if name in made:
            yield Mistake(place, f"{what}: {name} is a function of {made[name].c_name}")


def one_namespace(model: m.Model) -> Iterator[Mistake]:
    """The library's operations share one table, named after their namespace."""
    (most, _), *_ = Counter(o.namespace for o in model.operations).most_common(1) or [("", 0)]
    first = {(o.place.file, o.namespace): o for o in reversed(model.operations) if o.namespace != most}
    for o in reversed(first.values()):
        its = f"its namespace is {o.namespace!r}" if o.namespace else "it has no namespace"
        yield Mistake(o.place, f'Operation {o.name}: {its}: write namespace("{most}") above it')


def functions(kind: m.Type) -> Iterator[str]:
    """The C functions that a type has."""
    if isinstance(kind, m.Enumeration):
        yield from (f"{kind.c_name}_to_string", f"{kind.c_name}_from_string")
    if isinstance(kind, m.Struct):
        yield from filter(None, (kind.init_fn, kind.dispose_fn, kind.copy_fn))
        yield from (f"{kind.c_name}_to_json", f"{kind.c_name}_from_json")


# Types


def title(kind: m.Type) -> str:
    return f"{type(kind).__name__} {kind.name}" if kind.name else type(kind).__name__


def members(kind: m.Type) -> list[m.Field]:
    """The fields of an aggregate in C, with keys and lengths."""
    if not isinstance(kind, m.Aggregate):
        return []
    seen: list[m.Field] = []
    for f in kind.fields:
        if isinstance(f.type, m.KeyedUnion):
            seen.append(f.type.keyvar)
        if isinstance(f.type, m.Array):
            seen.append(f.type.lenvar)
        seen.append(f)
    return seen


def check_type(kind: m.Type, what: str) -> Iterator[Mistake]:
    if kind.name is not None and not kind.name.endswith("*"):  # libxl declares `char **` so
        yield from check_name(kind.name, kind.place, what)
    if not fits(kind.init_val, kind):
        yield Mistake(kind.at("init_val"), f"{what}: init_val: {kind.init_val} does not fit {kind.c_name}")
    if isinstance(kind, m.Enumeration):
        yield from check_enumeration(kind)
    if isinstance(kind, m.Aggregate) and kind.name and not kind.fields:
        yield Mistake(kind.place, f"{what}: no fields")
    yield from unique(((f.name, f.place) for f in members(kind)), f"{what}: field")
    for f in members(kind):
        yield from check_field(f, what)
        if f.type is not None and f.type.name is None:
            yield from check_type(f.type, f"{what}.{f.name}")


def check_enumeration(kind: m.Enumeration) -> Iterator[Mistake]:
    what = title(kind)
    if not kind.values:
        yield Mistake(kind.place, f"{what}: no values")
    seen: dict[int, str] = {}
    for value in kind.values:
        yield from check_name(value.c_name, value.place, what)
        if value.value in seen:
            yield Mistake(value.place, f"{what}: {value.name} has the number of {seen[value.value]}")
        if not -(1 << 31) <= value.value < 1 << 31:
            yield Mistake(value.place, f"{what}: {value.name} does not fit a C int")
        seen.setdefault(value.value, value.name)


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
        limits: tuple[int, int] | None = (0, (1 << 31) - 1)
    elif isinstance(given.type, m.Number):
        limits = given.type.range
    else:
        yield Mistake(given.place, f"{here}: only numbers and arrays can have min and max")
        return
    for bound in given.min, given.max:
        if bound is not None and limits and not limits[0] <= bound <= limits[1]:
            yield Mistake(given.place, f"{here}: {bound} does not fit {given.kind.c_name or 'a length'}")


def all_fields(model: m.Model, types: list[m.Type]) -> Iterator[tuple[m.Field, str]]:
    """Every field of types, events and operations, at any depth, with the name of its holder."""
    holders = [(title(t), members(t)) for t in types]
    holders += [(f"Event {e.name}", e.fields) for e in model.events]
    holders += [(f"Operation {o.name}", o.inputs + o.results) for o in model.operations]
    while holders:
        what, fields = holders.pop()
        for f in fields:
            yield f, what
            if f.type is not None and f.type.name is None:
                holders.append((f"{what}.{f.name}", members(f.type)))


def check_said(f: m.Field, what: str) -> Iterator[Mistake]:
    """Mistakes in init_val and enumname of a field."""
    here = f"{what}.{f.name}"
    if f.init_val is not None:
        compound = isinstance(f.type, (m.Aggregate, m.Array))
        if compound or (f.type is not None and f.type.init_fn):
            yield Mistake(f.place, f"{here}: init_val: the type has its own initial value")
        elif f.kind.c_name == "char *" and not f.const and f.init_val != "NULL":
            yield Mistake(f.place, f"{here}: init_val: only a const string can be other than NULL")
        elif not fits(f.init_val, f.kind):
            yield Mistake(f.place, f"{here}: init_val: {f.init_val} does not fit {f.kind.c_name}")
    if f.enumname is not None:
        if f.named is None:
            yield Mistake(f.place, f"{here}: enumname: no such Enumeration: {f.enumname!r}")
        elif f.type is not f.named and not isinstance(f.type, m.Number):
            yield Mistake(
                f.place, f"{here}: enumname: the field is neither a number nor of type {f.enumname}"
            )


def fits(initial: str | None, kind: m.Type) -> bool:
    """Whether an initial value that is a plain number fits the type. -1 fits every type: all bits set."""
    if initial is None or not isinstance(kind, m.Number) or kind.range is None:
        return True
    plain = re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|[1-9][0-9]*|0)", initial)
    return not plain or initial == "-1" or kind.range[0] <= int(initial, 0) <= kind.range[1]


def check_deprecated(kind: m.Struct) -> Iterator[Mistake]:
    """Mistakes in the fields that replace deprecated ones."""
    found = list(deprecated(kind))
    if kind.copy_deprecated_fn and not found:
        message = f"{title(kind)}: copy_deprecated_fn: no field is deprecated"
        yield Mistake(kind.at("copy_deprecated_fn"), message)
    for path, f in found:
        here = f"{title(kind)}.{path}"
        instead = next((g for g in kind.fields if g.name == f.deprecated_by), None)
        if not kind.copy_deprecated_fn:
            yield Mistake(f.place, f"{here}: deprecated_by: {kind.name} has no copy_deprecated_fn")
        elif instead is None:
            yield Mistake(f.place, f"{here}: deprecated_by: {kind.name} has no field {f.deprecated_by}")
        elif instead is f:
            yield Mistake(f.place, f"{here}: deprecated_by: a field cannot replace itself")
        elif instead.type is not f.type or instead.init_val != f.init_val:
            message = f"deprecated_by: {instead.name} has another type or initial value"
            yield Mistake(f.place, f"{here}: {message}")
        elif initial_is_unknown(f.kind):
            yield Mistake(f.place, f"{here}: deprecated_by: {f.kind.name} has no check_default_fn")


def deprecated(kind: m.Aggregate, prefix: str = "") -> Iterator[tuple[str, m.Field]]:
    """The deprecated fields in a struct and in its anonymous members, with their paths."""
    for f in kind.fields:
        if f.deprecated_by:
            yield prefix + f.name, f
        if isinstance(f.type, m.Aggregate) and f.type.name is None:
            yield from deprecated(f.type, f"{prefix}{f.name}.")


def initial_is_unknown(kind: m.Type) -> bool:
    """Whether C cannot compare a value with its initial one."""
    simple = isinstance(kind, (m.Number, m.Enumeration)) or kind.c_name in ("bool", "char *")
    return not simple and not kind.check_default_fn


def undocumented_types(types: list[m.Type]) -> Iterator[Mistake]:
    documented = {t.place.file for t in types if t.doc}
    for kind in types:
        if kind.place.file not in documented:
            continue
        yield from check_doc(title(kind), kind.doc, kind.at("doc"))
        yield from check_since(title(kind), kind.since, kind.at("since"))
        if isinstance(kind, m.Enumeration):
            for value in kind.values:
                yield from check_doc(f"{title(kind)}: {value.name}", value.doc, value.place)
        yield from undocumented_fields(kind, title(kind))


def undocumented_fields(kind: m.Type, what: str) -> Iterator[Mistake]:
    if not isinstance(kind, m.Aggregate):
        return
    for f in kind.fields:
        here = f"{what}.{f.name}"
        yield from check_doc(here, f.doc, f.place)
        if f.type is not None and f.type.name is None:
            inner = f.type.element if isinstance(f.type, m.Array) else f.type
            if inner.name is None:
                yield from undocumented_fields(inner, here)


# Errors, events, operations


def check_errors(model: m.Model) -> Iterator[Mistake]:
    seen: dict[int, str] = {}
    for error in model.errors:
        what = f"error {error.name}"
        yield from check_name(error.name, error.place, "error")
        yield from check_doc(what, error.doc, error.place)
        if "\n" in error.doc:
            yield Mistake(error.place, f"{what}: the documentation is more than one line")
        if error.value >= 0:
            yield Mistake(error.place, f"{what}: {error.value} is not negative")
        if error.value in seen:
            yield Mistake(error.place, f"{what}: {error.value} is the number of {seen[error.value]}")
        seen.setdefault(error.value, error.name)


def check_events(model: m.Model) -> Iterator[Mistake]:
    seen: dict[int, str] = {}
    for event in model.events:
        what = f"Event {event.name}"
        yield from check_name(event.name, event.place, "Event")
        yield from check_doc(what, event.doc, event.at("doc"))
        yield from check_since(what, event.since, event.at("since"))
        if not 0 < event.number < 1 << 31:
            yield Mistake(event.place, f"{what}: {event.number} is not a positive C int")
        if event.number in seen:
            yield Mistake(event.place, f"{what}: {event.number} is the number of {seen[event.number]}")
        seen.setdefault(event.number, event.name)
        yield from check_fields(event.fields, what)


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
    yield from check_phases(o, common)
    yield from check_fields(o.inputs + o.results, what)
    for fields, needed, verb in ((o.inputs, m.DIR_IN, "takes"), (o.results, m.DIR_OUT, "gives")):
        for f in fields:
            if not f.kind.dir & needed:
                yield Mistake(f.place, f"{what}.{f.name}: dir: the library never {verb} a {f.kind.name}")
    if o.undo is not None:
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


def check_function(f: m.Function) -> Iterator[Mistake]:
    what = f"Function {f.name}"
    yield from check_name(f.name, f.place, what)
    yield from check_since(what, f.since, f.at("since"))
