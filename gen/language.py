# SPDX-License-Identifier: LGPL-2.1-or-later
"""The constructors of errors, events and operations, as IDL files call them.

Errors, events and operations may name one another in any order and from any file. The names are looked up
after all files have run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gen import events
from gen import model as m
from gen.attributes import checked, describe, expect, tidy
from gen.language_types import TYPES, TypeLanguage
from gen.locate import At, Item, Lines, Word
from gen.model import Mistake

OPERATION: dict[str, tuple[type, ...]] = {
    "python": (str, type(None)),
    "doc": (str,),
    "inputs": (list,),
    "results": (list,),
    "progress": (tuple,),
    "errors": (list,),
    "abort": (str,),
    "undo": (str,),
    "limit": (float, int, type(None)),
    "speed": (str,),
    "phases": (list,),
    "hidden": (bool,),
    "shares": (str,),
    "since": (str,),
}
SECONDS = (float, int, type(None))
PHASE: dict[str, tuple[type, ...]] = {
    "waits": (str,),
    "stop": (str,),
    "stop_limit": SECONDS,
    "undo": (str,),
    "undo_limit": SECONDS,
    "limit": SECONDS,
    "limit_error": (str, type(None)),
    "commits": (bool,),
    "shared": (str,),
}
DEVICE_FUNCTIONS: dict[str, tuple[type, ...]] = {
    "listing": (str,),
    "info": (m.Struct,),
    "kind": (str,),
    "one": (str,),
    "many": (str,),
    "by": (str,),
    "by_devid": (bool,),
    "since": (str,),
}
EVENT: dict[str, tuple[type, ...]] = {"doc": (str,), "since": (str,), "aliases": (list,)}


class Language(TypeLanguage):
    """The constructors and directives of the whole IDL language."""

    def __init__(self) -> None:
        super().__init__()
        self.to_find: list[Callable[[], None]] = []

    def names(self) -> dict[str, Any]:
        """Returns the names that an IDL file can use."""
        constants = {n: getattr(m, n) for n in dir(m) if n.startswith(("PASS_BY_", "DIR_"))}
        return constants | TYPES | self.constructors() | {"_item": Item.at, "_word": Word.at}

    def constructors(self) -> dict[str, Callable[..., object]]:
        return {n.removeprefix("idl_"): getattr(self, n) for n in dir(self) if n.startswith("idl_")}

    def finish(self) -> m.Model:
        """Looks up all names that the files have used, and returns the model."""
        for find in self.to_find:
            find()
        enumerations = {e.name: e for e in self.model.enumerations}
        for f in self.fields_to_name:
            f.named = enumerations.get(f.enumname)
        return self.model

    def idl_Errors(self, errors: object, _at: At, common: object = None) -> None:
        lines = self.lines(_at)
        for given in expect(errors, (list,), lines.place(), "Errors"):
            number, name, doc, place = self.triple(given, lines, "Errors", "error")
            prefix = self.prefix if self.extending else ""
            error = m.Error(value=number, name=name, doc=doc, place=place, namespace=prefix)
            self.model.errors.append(error)
        names = expect(common or [], (list,), lines.place("common"), "Errors: common")
        self.model.common_errors += self.errors(names, lines, "Errors: common")

    def errors(self, names: list[object], lines: Lines, what: str) -> Iterator[m.Error]:
        """Yields the errors with these names."""
        seen: set[object] = set()
        for name in names:
            error = next((e for e in self.model.errors if e.name == name), None)
            if error is None:
                raise Mistake(lines.of(name), f"{what}: no such error: {describe(name)}")
            if name in seen:
                raise Mistake(lines.of(name), f"{what}: listed twice: {name}")
            seen.add(name)
            yield error

    def idl_Event(self, number: int, name: str, fields: object, _at: At, **given: Any) -> m.Event:
        lines = self.lines(_at)
        what = f"Event {expect(name, (str,), lines.place(), 'Event')}"
        expect(number, (int,), lines.place(), f"{what}: the number")
        about = checked(given, EVENT, lines, what)
        aliases = [
            expect(a, (str,), lines.place("aliases"), f"{what}: aliases") for a in about.pop("aliases", [])
        ]
        return m.Event(
            number=number,
            name=name,
            fields=self.fields(fields, lines, what),
            doc=tidy(about.get("doc", "")),
            since=about.get("since", ""),
            place=lines.place(),
            keywords=lines.keywords,
            aliases=tuple(aliases),
        )

    def idl_Events(self, given: object, _at: At) -> None:
        lines = self.lines(_at)
        prefix = self.prefix
        if self.model.events and not self.extending:
            raise Mistake(lines.place(), "Events: there is already a list of events")
        declared = [
            expect(event, (m.Event,), lines.place(), "Events")
            for event in expect(given, (list,), lines.place(), "Events")
        ]
        self.model.events += declared
        if declared and not self.extending:
            self.to_find.append(lambda: events.synthesise(self.model, declared, prefix, lines.place()))

    def idl_Phase(self, name: str, doc: str, _at: At, **given: Any) -> m.Phase:
        lines = self.lines(_at)
        what = f"Phase {expect(name, (str,), lines.place(), 'Phase')}"
        about = checked(given, PHASE, lines, what)
        phase = m.Phase(
            name=name,
            doc=tidy(expect(doc, (str,), lines.place("doc"), f"{what}: doc")),
            waits=tidy(about.get("waits", "")),
            stop=tidy(about.get("stop", "")),
            stop_limit=about.get("stop_limit"),
            undo=tidy(about.get("undo", "")),
            undo_limit=about.get("undo_limit"),
            limit=about.get("limit"),
            commits=about.get("commits", False),
            shared=about.get("shared", ""),
            place=lines.place(),
            keywords=lines.keywords,
        )
        limit_error = about.get("limit_error", "TIMEDOUT")
        if phase.limit is not None and limit_error is not None:
            self.to_find.append(lambda: self.find_limit_error(phase, limit_error))
        return phase

    def find_limit_error(self, phase: m.Phase, name: str) -> None:
        """Looks up a phase's limit_error. The operation fails with this error when the phase's limit
        has passed."""
        phase.limit_error = next((e for e in self.model.errors if e.name == name), None)
        if phase.limit_error is None:
            what = f"Phase {phase.name}: limit_error"
            raise Mistake(phase.at("limit_error"), f"{what}: no such error: {describe(name)}")

    def idl_Operation(self, name: str, _at: At, **given: Any) -> None:
        lines = self.lines(_at)
        what = f"Operation {expect(name, (str,), lines.place(), 'Operation')}"
        about = checked(given, OPERATION, lines, what)
        speed = about.get("speed", "slow")
        if speed not in [s.value for s in m.Speed]:
            raise Mistake(lines.place("speed"), f'{what}: speed: "slow" or "instant", not {describe(speed)}')
        operation = m.Operation(
            name=name,
            namespace=self.prefix,
            python_name=about.get("python") or name,
            doc=tidy(about.get("doc", "")),
            since=about.get("since", ""),
            inputs=self.fields(about.get("inputs", []), lines, what),
            results=self.fields(about.get("results", []), lines, what),
            errors=[],
            abort=tidy(about.get("abort", "")),
            limit=about.get("limit"),
            speed=m.Speed(speed),
            phases=[
                expect(phase, (m.Phase,), lines.place("phases"), f"{what}: phases")
                for phase in about.get("phases", [])
            ],
            hidden=about.get("hidden", False),
            shares=about.get("shares", ""),
            place=lines.place(),
            keywords=lines.keywords,
        )
        self.model.operations.append(operation)
        self.to_find.append(lambda: self.find(operation, about, lines, what))

    def idl_Functions(self, page: str, names: object, _at: At, since: str = "") -> None:
        """Declares public functions that are written by hand. `page` is the manual page that describes
        these functions."""
        lines = self.lines(_at)
        what = f"Functions {expect(page, (str,), lines.place(), 'Functions')}"
        expect(since, (str,), lines.place("since"), f"{what}: since")
        for name in expect(names, (list,), lines.place(), what):
            self.function(expect(name, (str,), lines.place(), what), page, since, lines)

    def function(self, name: str, page: str, since: str, lines: Lines) -> None:
        self.model.functions.append(
            m.Function(
                name=name,
                namespace=self.prefix,
                page=f"{self.prefix}{page}",
                since=since,
                place=lines.of(name),
                keywords=lines.keywords,
            )
        )

    def idl_DeviceFunctions(self, name: str, _at: At, **given: Any) -> None:
        """Declares libxl's synchronous functions for a class of devices. The manual page is written by
        hand."""
        lines = self.lines(_at)
        what = f"DeviceFunctions {expect(name, (str,), lines.place(), 'DeviceFunctions')}"
        about: dict[str, Any] = {"by": "devid", "by_devid": False}
        about |= checked(given, DEVICE_FUNCTIONS, lines, what)
        missing = [attribute for attribute in DEVICE_FUNCTIONS if attribute not in about]
        if missing:
            raise Mistake(lines.place(), f"{what}: {missing[0]} is missing")
        since, listing = about.pop("since"), about.pop("listing")
        made = [f"device_{name}_{function}" for function in ("list", "list_free", "getinfo")]
        for function in made + [f"devid_to_device_{name}"] * about["by_devid"]:
            self.function(function, f"device_{name}_list", since, lines)
        prefix = self.prefix
        self.to_find.append(
            lambda: self.model.device_functions.append(
                m.DeviceFunctions(
                    name=name,
                    namespace=prefix,
                    listing=self.find_listing(listing, lines, what),
                    place=lines.place(),
                    keywords=lines.keywords,
                    **about,
                )
            )
        )

    def find_listing(self, name: str, lines: Lines, what: str) -> m.Operation:
        """Looks up an operation whose only result is a struct with an array of structs and nothing else."""
        found = next((o for o in self.model.operations if o.name == name), None)
        if found is None:
            raise Mistake(lines.place("listing"), f"{what}: no such operation: {describe(name)}")
        kind = found.results[0].type if len(found.results) == 1 else None
        array = kind.fields[0].type if isinstance(kind, m.Struct) and len(kind.fields) == 1 else None
        if not isinstance(array, m.Array) or not isinstance(array.element, m.Struct):
            raise Mistake(
                lines.place("listing"),
                f"{what}: listing: the result of {name} is not a struct with one array of structs",
            )
        return found

    def idl_Types(self, names: object, _at: At) -> None:
        """Declares public types that hand-written headers define. Nothing else may have the name of
        such a type."""
        lines = self.lines(_at)
        for name in expect(names, (list,), lines.place(), "Types"):
            full = self.prefix + expect(name, (str,), lines.place(), "Types")
            self.model.types_by_hand[full] = lines.of(name)

    def idl_Internal(self, patterns: object, _at: At) -> None:
        """Declares the internal functions that extensions may call. A pattern does not include the prefix
        libxl__. A * matches any letters."""
        lines = self.lines(_at)
        self.model.internal += [
            expect(pattern, (str,), lines.place(), "Internal")
            for pattern in expect(patterns, (list,), lines.place(), "Internal")
        ]

    def find(self, operation: m.Operation, about: dict[str, Any], lines: Lines, what: str) -> None:
        """Looks up the errors, the event and the operation that an operation names."""
        where = Lines(lines.file, lines.place("errors").line, {})
        operation.errors += self.errors(about.get("errors", []), where, what)
        if "progress" in about:
            progress = about["progress"]
            if len(progress) != 2 or not all(isinstance(p, str) for p in progress):
                raise Mistake(
                    lines.place("progress"),
                    f'{what}: progress is ("word", "name of an event"), not {describe(progress)}',
                )
            operation.progress_what = progress[0]
            operation.progress = next((e for e in self.model.events if e.name == progress[1]), None)
            if operation.progress is None:
                raise Mistake(lines.place("progress"), f"{what}: no such event: {describe(progress[1])}")
        if "undo" in about:
            operation.undo = next((o for o in self.model.operations if o.name == about["undo"]), None)
            if operation.undo is None:
                raise Mistake(lines.place("undo"), f"{what}: no such operation: {describe(about['undo'])}")
