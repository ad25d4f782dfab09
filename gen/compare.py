# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the changes of the IDL that break programs built against a release. Reports each change as
`file:line: message`.

Compiled C programs contain the layout of structs, the numbers of values and the parameters of the release. So
a released type must keep every field and value, and their places, types and numbers must stay the same. A
struct or an event must not grow, because callers allocate it, unless the library's SOVERSION has been raised.
An operation must keep its parameters and their order, and the names of its phases. Types, values, events,
operations, phases, and errors of an operation may be added.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gen import model as m
from gen.dump import Dump, dump
from gen.layout import size_of
from gen.model import Mistake, Place

PARTS = "types", "errors", "common_errors", "events", "operations", "functions"
"""The parts of a dump that are compared."""

# The properties that must not change, and the words for them in messages.
FIXED = {
    "kind": "the kind of type",
    "type": "the type",
    "value": "the number",
    "width": "the width",
    "signed": "the sign",
    "const": "const",
    "length": "the name of the length",
    "key": "the name of the key",
    "key_type": "the type of the key",
    "progress": "the progress",
    "python": "the name in Python",
}


def compare(released: Dump, model: m.Model) -> list[Mistake]:
    """Returns every incompatible change, in order of files and lines."""
    raised = model.soversion is not None and model.soversion > released.get("soversion", model.soversion)
    found = Compare(places(model), Place(model.files[0] if model.files else "idl", 1), raised)
    found.all(released, dump(model))
    return sorted(found.mistakes, key=lambda mistake: mistake.place)


def places(model: m.Model) -> dict[str, Place]:
    """Returns the place where each thing is declared."""
    at: dict[str, Place] = {}

    def fields(prefix: str, given: list[m.Field]) -> None:
        for f in given:
            at[f"{prefix}.{f.name}"] = f.place
            if isinstance(f.type, m.Aggregate) and f.type.name is None:
                fields(f"{prefix}.{f.name}", f.type.fields)

    for t in model.types:
        at[t.c_name] = t.place
        if isinstance(t, m.Enumeration):
            at |= {f"{t.c_name}.{v.c_name}": v.place for v in t.values}
        if isinstance(t, m.Aggregate):
            fields(t.c_name, t.fields)
    at |= {e.c_name: e.place for e in model.errors}
    for e in model.events:
        at[f"event {e.name}"] = e.place
        fields(f"event {e.name}", e.fields)
    at |= {f.c_name: f.place for f in model.functions}
    for o in model.operations:
        at[o.c_name] = o.place
        at |= {f"{o.c_name}.phases.{p.name}": p.place for p in o.phases}
        fields(o.c_name, o.inputs + o.results)
    return at


class Compare:
    def __init__(self, at: dict[str, Place], top: Place, soversion_raised: bool) -> None:
        self.at = at
        self.top = top
        self.soversion_raised = soversion_raised
        self.mistakes: list[Mistake] = []

    def tell(self, path: str, message: str) -> None:
        """Reports a mistake at the place of `path`. If `path` is gone, reports the mistake at the place of
        the thing that contained it."""
        holder = path
        while holder not in self.at and "." in holder:
            holder = holder.rpartition(".")[0]
        self.mistakes.append(Mistake(self.at.get(holder, self.top), f"{path}: {message}"))

    def tell_layout(self, path: str, message: str) -> None:
        """Reports a change that breaks only programs that are not rebuilt, unless the SOVERSION was
        raised."""
        if not self.soversion_raised:
            self.tell(path, f"{message}: an ABI change: raise SOVERSION in src/Makefile.inc")

    def all(self, old: Dump, new: Dump) -> None:
        for name, was, now in self.kept(old["types"], new["types"], ""):
            self.fixed(name, was, now)
            if "values" in was:
                for path, a, b in self.kept(was["values"], now.get("values", {}), name):
                    self.fixed(path, a, b)
            before = len(self.mistakes)
            self.fields(name, was, now, whole=True)
            sizes = size_of(old["types"], name), size_of(new["types"], name)
            if (
                len(self.mistakes) == before
                and "fields" in was
                and None not in sizes
                and sizes[0] != sizes[1]
            ):
                octets = [size[0] for size in sizes if size]
                self.tell_layout(name, f"the size was {octets[0]} octets, and is {octets[1]}")
        for name, was, now in self.kept(old["errors"], new["errors"], ""):
            self.fixed(name, was, now)
        for error in sorted(set(new["common_errors"]) - set(old["common_errors"])):
            self.tell(f"ERROR_{error}", "every operation can give it now")
        for name, was, now in self.kept(old["events"], new["events"], "event "):
            self.fixed(name, was, now)
            for alias in sorted(set(was.get("aliases", [])) - set(now.get("aliases", []))):
                self.tell(name, f"its name {alias} is gone")
        for name, was, now in self.kept(public(old["operations"]), public(new["operations"]), ""):
            self.operation(name, was, now)
        for name, was, now in self.kept(old["functions"], new["functions"], ""):
            self.fixed(name, was, now)

    def kept(self, old: Dump, new: Dump, prefix: str) -> Iterator[tuple[str, Any, Any]]:
        """Yields the things that are in both dumps, with their paths. Reports each thing that is gone."""
        join = prefix if not prefix or prefix.endswith(" ") else f"{prefix}."
        renamed = {name: about for name, about in new.items() if name not in old}
        # The path of the last thing that both dumps have. A missing thing has no place in the new file, so it
        # is reported at the place of this thing.
        beside = ""
        for name, was in old.items():
            if name in new:
                beside = f"{join}{name}"
                yield beside, was, new[name]
                continue
            now = next((n for n, about in renamed.items() if same(was, about)), None)
            if now is not None:
                del renamed[now]
                beside = f"{join}{now}"
                self.at.setdefault(f"{join}{name}", self.at.get(beside, self.top))
                self.tell(f"{join}{name}", f"is gone: {now} seems to be its new name")
            else:
                self.at.setdefault(f"{join}{name}", self.at.get(beside or prefix, self.top))
                self.tell(f"{join}{name}", "is gone")

    def fixed(self, path: str, was: Dump, now: Dump) -> None:
        for name, words in FIXED.items():
            if was.get(name) != now.get(name):
                self.tell(path, f"{words} was {shown(was.get(name))}, and is {shown(now.get(name))}")
        for name, inwards in ("min", 1), ("max", -1):
            a, b = was.get(name), now.get(name)
            if b is not None and (a is None or (b - a) * inwards > 0):
                self.tell(path, f"{name} was {shown(a)}, and is {b}: values that were good are refused")

    def fields(self, path: str, was: Dump, now: Dump, whole: bool) -> None:
        """Compares the C layout of the released fields with that of the present ones. If `whole` is true, no
        field may be added."""
        old, new = was.get("fields", {}), now.get("fields", {})
        for name, a, b in self.kept(old, new, path):
            self.fixed(name, a, b)
            # A union may get new arms, because a new arm need not change the union's size. Another check
            # compares the size of the type.
            self.fields(name, a, b, whole="key" not in a)
        if not whole:
            return
        for name in new:
            if name not in old:
                self.tell_layout(f"{path}.{name}", "is new, so the struct's layout changes")
        if [n for n in new if n in old] != [n for n in old if n in new]:
            self.tell_layout(path, "the order of the fields has changed")

    def operation(self, path: str, was: Dump, now: Dump) -> None:
        """Compares a released operation with the present one. The names of its phases must stay, because
        progress reports contain them. Everything else about a phase may change."""
        self.fixed(path, was, now)
        for part, word in ("inputs", "input"), ("results", "result"):
            old, new = was.get(part, {}), now.get(part, {})
            for name, a, b in self.kept(old, new, path):
                self.fixed(name, a, b)
            for name in new:
                if name not in old:
                    self.tell(f"{path}.{name}", f"is a new {word}")
            if [n for n in new if n in old] != [n for n in old if n in new]:
                self.tell(path, f"the order of the {part} has changed")
        list(self.kept(was.get("phases", {}), now.get("phases", {}), f"{path}.phases"))
        if was.get("speed") == "instant" and now.get("speed") == "slow":
            self.tell(path, "was instant, and is slow")


def public(operations: Dump) -> Dump:
    """Returns the operations that a program can start."""
    return {name: about for name, about in operations.items() if not about.get("hidden")}


def same(was: Dump, now: Dump) -> bool:
    """Returns whether two things are equal except for documentation, versions and names in Python."""
    words = "doc", "since", "python", "abort"
    return {k: v for k, v in was.items() if k not in words} == {
        k: v for k, v in now.items() if k not in words
    }


def shown(value: object) -> str:
    return "none" if value is None else str(value)
