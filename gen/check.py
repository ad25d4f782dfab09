# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the mistakes that no single constructor can see. Every run of the generator makes these checks.

The checks find names that are unusable or not unique, things without documentation, and limits that
make no sense.

A file that documents one type must document all its types. libxl's own type files document no type. Errors,
events and operations must always be documented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gen import model as m
from gen.check_attributes import check_attributes, check_initial, check_type_initial
from gen.check_names import check_doc, check_name, check_since, unique
from gen.check_operations import check_field, check_fields, check_operation
from gen.check_phases import check_shared
from gen.check_python import check_python
from gen.model import Mistake


def check(model: m.Model) -> list[Mistake]:
    """Returns every mistake in the model, in order of files and lines."""
    # The two types that are generated from the events need no check, because the events are checked.
    types = [t for t in model.types if t not in (model.event, model.event_type)]
    found = [
        *unique_names(model, types),
        *names_in_c(model, types),
        *check_python(model),
        *check_attributes(model, types),
        *(mistake for t in types for mistake in check_type(t, title(t))),
        *undocumented_types(types),
        *(mistake for f, what, own in all_fields(model, types) for mistake in check_values(f, what, own)),
        *(mistake for s in model.structs for mistake in check_deprecated(s)),
        *check_errors(model),
        *check_events(model),
        *(mistake for o in model.operations for mistake in check_operation(o, model.common_errors)),
        *check_shared(model),
        *(mistake for f in model.functions for mistake in check_function(f)),
        *(mistake for d in model.device_functions for mistake in check_device_functions(d)),
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


def names_in_c(model: m.Model, types: list[m.Type]) -> Iterator[Mistake]:
    """Yields mistakes for the names that are declared twice in C. In C, the names of types, operations,
    functions and functions of types share one namespace."""
    made = {name: t for t in types for name in functions(t)}
    of_hand = {name: t for t in types if isinstance(t, m.Builtin) for name in by_hand(t)}
    declared = [(name, place, "Types", name) for name, place in model.types_by_hand.items()]
    declared += [(t.c_name, t.place, type(t).__name__, str(t.name)) for t in types]
    declared += [(f.c_name, f.place, "Function", f.name) for f in model.functions]
    declared += [(o.c_name, o.place, "Operation", o.name) for o in model.operations]
    first: dict[str, tuple[str, str]] = {}
    for full, place, what, name in declared:
        kind = made.get(full) or (of_hand.get(full) if what == "Operation" else None)
        other = first.setdefault(full, (what, name))
        if kind is not None:
            yield Mistake(place, f"{what} {name}: {full} is a function of {kind.c_name}")
        elif other[0] != what and (what in ("Function", "Operation") or of_hand_only(other[0], what)):
            yield Mistake(place, f"{what} {name}: {full} is the name of {' '.join(other)} in C")


def of_hand_only(first: str, what: str) -> bool:
    """Returns whether two declarations of a type conflict. `first` and `what` are the kinds of the
    declarations in the IDL. The kind Types says that a hand-written header declares the type. For each kind
    except Builtin and Number, the generator declares the type, too."""
    return first == "Types" and what not in ("Builtin", "Number")


def by_hand(kind: m.Type) -> Iterator[str]:
    """Yields the C functions of a type that is written by hand."""
    yield from filter(None, (kind.init_fn, kind.dispose_fn, kind.copy_fn, kind.check_default_fn))


def one_namespace(model: m.Model) -> Iterator[Mistake]:
    """Yields a mistake if operations are in several namespaces. One table lists all operations, and the
    namespace gives the table its name."""
    (most, _), *_ = Counter(o.namespace for o in model.operations).most_common(1) or [("", 0)]
    first = {(o.place.file, o.namespace): o for o in reversed(model.operations) if o.namespace != most}
    for o in reversed(first.values()):
        its = f"its namespace is {o.namespace!r}" if o.namespace else "it has no namespace"
        yield Mistake(o.place, f'Operation {o.name}: {its}: write namespace("{most}") above it')


def functions(kind: m.Type) -> Iterator[str]:
    """Yields the C functions of a type that the generator declares."""
    if isinstance(kind, m.Enumeration):
        yield from (f"{kind.c_name}_to_string", f"{kind.c_name}_from_string")
    if isinstance(kind, m.Struct):
        yield from filter(None, (kind.init_fn, kind.dispose_fn, kind.copy_fn))
        yield from (f"{kind.c_name}_{verb}" for verb in ("to_json", "to_json_all", "from_json"))


# Types


def title(kind: m.Type) -> str:
    return f"{type(kind).__name__} {kind.name}" if kind.name else type(kind).__name__


def members(kind: m.Type) -> list[m.Field]:
    """Returns the fields of an aggregate in C, including keys and lengths."""
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
    # libxl declares a builtin type with the name `char **`.
    if kind.name is not None and not kind.name.endswith("*"):
        yield from check_name(kind.name, kind.place, what)
    yield from check_type_initial(kind, what)
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
        if isinstance(kind, m.Flags) and (value.value <= 0 or value.value & (value.value - 1)):
            yield Mistake(value.place, f"{what}: {value.name} is not a single bit: {value.value}")
        if not -(1 << 31) <= value.value < 1 << 31:
            yield Mistake(value.place, f"{what}: {value.name} does not fit a C int")
        seen.setdefault(value.value, value.name)


def all_fields(model: m.Model, types: list[m.Type]) -> Iterator[tuple[m.Field, str, bool]]:
    """Yields every field of types, events and operations, at any depth. Each item of the result has the
    field, the name of the thing that contains the field, and whether this thing is documented."""
    holders = [(title(t), members(t), bool(t.doc)) for t in types]
    holders += [(f"Event {e.name}", e.fields, True) for e in model.events]
    holders += [(f"Operation {o.name}", o.inputs + o.results, True) for o in model.operations]
    while holders:
        what, fields, documented = holders.pop()
        for f in fields:
            yield f, what, documented
            if f.type is not None and f.type.name is None:
                holders.append((f"{what}.{f.name}", members(f.type), documented))


def check_values(f: m.Field, what: str, documented: bool) -> Iterator[Mistake]:
    """Yields mistakes in init_val and enumname of a field."""
    here = f"{what}.{f.name}"
    yield from check_initial(f, here, documented)
    if f.enumname is not None:
        if f.named is None:
            yield Mistake(f.place, f"{here}: enumname: no such Enumeration: {f.enumname!r}")
        elif f.type is not f.named and not isinstance(f.type, m.Number):
            yield Mistake(
                f.place, f"{here}: enumname: the field is neither a number nor of type {f.enumname}"
            )


def check_deprecated(kind: m.Struct) -> Iterator[Mistake]:
    """Yields mistakes in deprecated fields and in the fields that replace them."""
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
    """Yields the deprecated fields in a struct and in its anonymous members, with their paths."""
    for f in kind.fields:
        if f.deprecated_by:
            yield prefix + f.name, f
        if isinstance(f.type, m.Aggregate) and f.type.name is None:
            yield from deprecated(f.type, f"{prefix}{f.name}.")


def initial_is_unknown(kind: m.Type) -> bool:
    """Returns whether C cannot compare a value of this type with the initial value."""
    simple = isinstance(kind, (m.Number, m.Float, m.Enumeration)) or kind.c_name in ("bool", "char *")
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
        for f in event.fields:
            if isinstance(f.type, m.Aggregate) and f.type.name is None:
                yield Mistake(f.place, f"{what}.{f.name}: wrap it in a named Struct")


def check_function(f: m.Function) -> Iterator[Mistake]:
    what = f"Function {f.name}"
    yield from check_name(f.name, f.place, what)
    yield from check_since(what, f.since, f.at("since"))


def check_device_functions(d: m.DeviceFunctions) -> Iterator[Mistake]:
    what = f"DeviceFunctions {d.name}"
    fields = [f.name for f in d.config.fields]
    for attribute, name in (("by", d.by), ("by_devid", "devid")):
        if name not in fields and (attribute == "by" or d.by_devid):
            yield Mistake(d.at(attribute), f"{what}: {attribute}: {d.config.name} has no field {name}")
