# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads IDL files into a model.

An IDL file is Python, run with the constructors as names. Before it runs, every tuple, every
constructor call and every string in a list is told the line it stands on, so that each mistake
can name it. Files that use each other's names are run in the order that this needs.
"""

from __future__ import annotations

import ast
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from gen import model as m
from gen.model import Mistake, Place

Names = dict[str, object]
T = TypeVar("T")

# Attributes of types: name -> what it may be. Those marked None may be given as None.
FUNCTION = (str, type(None))
TYPE_ATTRIBUTES: dict[str, tuple[type, ...]] = {
    "doc": (str,),
    "since": (str,),
    "comment": FUNCTION,
    "namespace": FUNCTION,
    "dir": (int,),
    "passby": (int,),
    "private": (bool,),
    "hidden": (bool,),
    "init_val": (str, int, type(None)),
    "init_fn": FUNCTION,
    "dispose_fn": FUNCTION,
    "copy_fn": FUNCTION,
    "check_default_fn": FUNCTION,
    "copy_deprecated_fn": FUNCTION,
    "json_gen_fn": FUNCTION,
    "jsonc_json_gen_fn": FUNCTION,
    "json_parse_type": FUNCTION,
    "json_parse_fn": FUNCTION,
    "autogenerate_init_fn": (bool,),
    "autogenerate_dispose_fn": (bool,),
    "autogenerate_copy_fn": (bool,),
    "autogenerate_json": (bool,),
}
FIELD_ATTRIBUTES: dict[str, tuple[type, ...]] = {
    "const": (bool,),
    "init_val": (str, int, type(None)),
    "enumname": FUNCTION,
    "deprecated_by": FUNCTION,
    "min": (int,),
    "max": (int,),
}
# What a kind adds to TYPE_ATTRIBUTES.
OWN_ATTRIBUTES: dict[str, dict[str, tuple[type, ...]]] = {
    "Number": {"signed": (bool,), "width": (int,)},
    "UInt": {},
    "Enumeration": {"value_namespace": FUNCTION},
}
# The functions that a kind has unless told otherwise; {} stands for the type's C name.
DEFAULT_FUNCTIONS: dict[str, dict[str, str]] = {
    "Builtin": {"copy_fn": "{}_copy"},
    "Struct": {"init_fn": "{}_init", "dispose_fn": "{}_dispose", "copy_fn": "{}_copy"},
    "KeyedUnion": {"init_fn": "{}_init", "dispose_fn": "{}_dispose", "copy_fn": "{}_copy"},
}


class Item(tuple[Any, ...]):
    """A tuple that knows its line."""

    line: int

    @classmethod
    def at(cls, line: int, values: tuple[Any, ...]) -> Item:
        item = cls(values)
        item.line = line
        return item


class Word(str):
    """A string in a list that knows its line."""

    line: int

    @classmethod
    def at(cls, line: int, text: str) -> Word:
        word = cls(text)
        word.line = line
        return word


class Lines:
    """The lines of a constructor call: its own and its keywords'."""

    def __init__(self, file: str, call: int, keywords: dict[str, int]) -> None:
        self.file = file
        self.call = call
        self.keywords = keywords

    def place(self, keyword: str | None = None) -> Place:
        return Place(self.file, self.keywords.get(keyword or "", self.call))


class Locate(ast.NodeTransformer):
    """Writes line numbers into a file's syntax tree."""

    def __init__(self, constructors: Iterable[str]) -> None:
        self.constructors = frozenset(constructors)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self.constructors:
            keywords = {k.arg: k.value.lineno for k in node.keywords if k.arg}
            where = ast.Constant((node.lineno, tuple(keywords.items())))
            node.keywords.append(ast.keyword("_at", where))
        return node

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        self.generic_visit(node)
        return self.wrapped("_item", node) if isinstance(node.ctx, ast.Load) else node

    def visit_List(self, node: ast.List) -> ast.AST:
        self.generic_visit(node)
        node.elts = [
            self.wrapped("_word", e) if isinstance(e, ast.Constant) and isinstance(e.value, str) else e
            for e in node.elts
        ]
        return node

    @staticmethod
    def wrapped(function: str, node: ast.expr) -> ast.expr:
        call = ast.Call(ast.Name(function, ast.Load()), [ast.Constant(node.lineno), node], [])
        return ast.copy_location(call, node)


class Loader:
    """Runs IDL files; its methods named `idl_*` are the language's constructors."""

    def __init__(self) -> None:
        self.model = m.Model()
        self.file = ""
        self.prefix = ""
        self.is_hidden = False
        self.pending: list[tuple[m.Operation, Lines, Names]] = []
        self.constructors: dict[str, Callable[..., object]] = {
            name.removeprefix("idl_"): getattr(self, name) for name in dir(self) if name.startswith("idl_")
        }
        self.integer = m.Number(name="int", place=Place("", 0), signed=True, width=32)
        self.names: Names = {
            **self.constructors,
            **{name: getattr(m, name) for name in dir(m) if name.startswith(("PASS_BY_", "DIR_"))},
            **self.language_types(),
            "_item": Item.at,
            "_word": Word.at,
        }

    def language_types(self) -> Names:
        nowhere = Place("", 0)
        types: Names = {
            "void": m.Builtin(name="void *", place=nowhere),
            "bool": m.Builtin(name="bool", place=nowhere, json_parse_type="JSON_BOOL"),
            "string": m.Builtin(
                name="char *",
                place=nowhere,
                dispose_fn="free",
                copy_fn="libxl_string_copy",
                json_parse_type="JSON_STRING | JSON_NULL",
            ),
            "size_t": m.Number(name="size_t", place=nowhere),
            "integer": self.integer,
        }
        for width in 8, 16, 32, 64:
            types[f"uint{width}"] = m.Number(name=f"uint{width}_t", place=nowhere, width=width)
        return types

    # Running files

    def parse(self, path: Path, shown: str) -> ast.Module:
        try:
            return ast.parse(path.read_text(encoding="utf-8"), shown)
        except SyntaxError as error:
            raise Mistake(Place(shown, error.lineno or 1), f"not valid Python: {error.msg}") from None
        except UnicodeDecodeError:
            raise Mistake(Place(shown, 1), "not UTF-8 text") from None
        except OSError as error:
            raise Mistake(Place(shown, 0), f"cannot be read: {error.strerror}") from None

    def run(self, shown: str, tree: ast.Module) -> None:
        self.file, self.prefix, self.is_hidden = shown, "", False
        self.model.files.append(shown)
        located = ast.fix_missing_locations(Locate(self.constructors).visit(tree))
        try:
            exec(compile(located, shown, "exec"), self.names)
        except Mistake:
            raise
        except Exception as error:  # the file is a program: anything can happen in it
            lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == shown]
            raise Mistake(Place(shown, (lines or [0])[-1] or 0), str(error) or type(error).__name__) from None

    def load(self, paths: Iterable[Path]) -> m.Model:
        trees = [(str(path), self.parse(path, str(path))) for path in paths]
        for shown, tree in in_order(trees):
            self.run(shown, tree)
        self.finish_events()
        for operation, lines, rest in self.pending:
            self.finish_operation(operation, lines, rest)
        return self.model

    # Helpers of the constructors

    def lines(self, at: tuple[int, tuple[tuple[str, int], ...]]) -> Lines:
        return Lines(self.file, at[0], dict(at[1]))

    def expect(self, value: object, kind: type[T] | tuple[type[T], ...], place: Place, what: str) -> T:
        """`value`, which must be of `kind`."""
        kinds: tuple[type[T], ...] = kind if isinstance(kind, tuple) else (kind,)
        for one in kinds:
            if isinstance(value, one) and not (isinstance(value, bool) and bool not in kinds):
                return value
        names = {str: "a string", int: "a number", list: "a list", bool: "True or False", m.Type: "a type"}
        words = " or ".join(names.get(k, "a " + k.__name__) for k in kinds if k is not type(None))
        raise Mistake(place, f"{what}: {words} is expected, not {describe(value)}")

    def attributes(
        self, given: Names, allowed: dict[str, tuple[type, ...]], lines: Lines, what: str
    ) -> dict[str, Any]:
        """`given`, of which every name must be in `allowed` and every value of the kind it says."""
        for name, value in given.items():
            place = lines.place(name)
            if name not in allowed:
                raise Mistake(place, f"{what}: no such attribute: {name}")
            self.expect(value, allowed[name], place, f"{what}: {name}")
        checked: dict[str, Any] = dict(given)
        if isinstance(checked.get("init_val"), int):
            checked["init_val"] = str(checked["init_val"])
        return checked

    def type_attributes(self, kind: str, name: object, given: Names, lines: Lines) -> dict[str, Any]:
        """The keywords of a type's constructor, completed with what its kind has by default."""
        if name is not None:
            self.expect(name, str, lines.place(), kind)
        what = f"{kind} {name}" if name else kind
        allowed = TYPE_ATTRIBUTES | OWN_ATTRIBUTES.get(kind, {})
        checked = self.attributes(given, allowed, lines, what)
        checked.setdefault("namespace", self.prefix)
        checked["namespace"] = checked["namespace"] or ""
        checked.setdefault("hidden", self.is_hidden)
        if name is not None:
            for function, form in DEFAULT_FUNCTIONS.get(kind, {}).items():
                checked.setdefault(function, form.format(f"{checked['namespace']}{name}"))
        checked["doc"] = tidy(checked.get("doc", ""))
        return {"name": name, "place": lines.place(), **checked}

    def declare(self, kind: T) -> T:
        if isinstance(kind, m.Type) and kind.name is not None:
            self.model.types.append(kind)
        return kind

    def field(self, given: object, lines: Lines, what: str) -> m.Field:
        """A field from its tuple: (name, type[, doc][, {attributes}])."""
        form = "(name, type[, doc][, {attributes}])"
        if not isinstance(given, Item) or not 2 <= len(given) <= 4:
            place = Place(lines.file, given.line) if isinstance(given, Item) else lines.place()
            raise Mistake(place, f"{what}: a field is {form}, not {describe(given)}")
        here = Lines(lines.file, given.line, {})
        name = self.expect(given[0], str, here.place(), f"{what}: a field's name")
        what = f"{what}.{name}"
        kind: m.Type = self.expect(given[1], m.Type, here.place(), what)
        rest = list(given[2:])
        doc = rest.pop(0) if rest and isinstance(rest[0], str) else ""
        attributes = rest.pop(0) if rest and isinstance(rest[0], dict) else {}
        if rest:
            raise Mistake(here.place(), f"{what}: a field is {form}, not {describe(given)}")
        checked = self.attributes(attributes, FIELD_ATTRIBUTES, here, what)
        return m.Field(name=name, type=kind, place=here.place(), doc=tidy(doc), **checked)

    def fields(self, given: object, lines: Lines, what: str) -> list[m.Field]:
        return [self.field(f, lines, what) for f in self.expect(given, list, lines.place(), what)]

    # The language: directives and types

    def idl_namespace(self, prefix: str, _at: Any) -> None:
        self.prefix = self.expect(prefix, str, self.lines(_at).place(), "namespace")

    def idl_hidden(self, hide: bool, _at: Any) -> None:
        self.is_hidden = self.expect(hide, bool, self.lines(_at).place(), "hidden")

    def idl_Builtin(self, name: str, _at: Any, **given: object) -> m.Type:
        return self.declare(m.Builtin(**self.type_attributes("Builtin", name, given, self.lines(_at))))

    def idl_Number(self, name: str, _at: Any, **given: object) -> m.Type:
        given.setdefault("namespace", None)
        return self.declare(m.Number(**self.type_attributes("Number", name, given, self.lines(_at))))

    def idl_UInt(self, width: int, _at: Any, **given: object) -> m.Type:
        lines = self.lines(_at)
        if width not in (8, 16, 32, 64):
            raise Mistake(lines.place(), f"UInt: 8, 16, 32 or 64 bits, not {describe(width)}")
        given.setdefault("namespace", None)
        return m.Number(width=width, **self.type_attributes("UInt", f"uint{width}_t", given, lines))

    def idl_Enumeration(self, name: str, values: object, _at: Any, **given: object) -> m.Type:
        lines = self.lines(_at)
        attributes = self.type_attributes("Enumeration", name, given, lines)
        attributes.setdefault("value_namespace", attributes["namespace"])
        attributes["value_namespace"] = attributes["value_namespace"] or ""
        kind = m.Enumeration(**attributes)
        stem = f"{kind.value_namespace}{name}_".upper()
        for given_value in self.expect(values, list, lines.place(), f"Enumeration {name}"):
            number, word, doc, place = self.triple(given_value, lines, f"Enumeration {name}", "a value")
            full = stem + word.upper()
            kind.values.append(
                m.EnumValue(value=number, name=word.upper(), c_name=full, place=place, doc=doc)
            )
        return self.declare(kind)

    def triple(self, given: object, lines: Lines, what: str, which: str) -> tuple[int, str, str, Place]:
        """(number, name[, doc]), as values and errors are written."""
        if not isinstance(given, Item) or len(given) not in (2, 3):
            place = Place(lines.file, given.line) if isinstance(given, Item) else lines.place()
            raise Mistake(place, f"{what}: {which} is (number, name[, doc]), not {describe(given)}")
        place = Place(lines.file, given.line)
        number = self.expect(given[0], int, place, f"{what}: {which}'s number")
        name = self.expect(given[1], str, place, f"{what}: {which}'s name")
        doc = self.expect(given[2], str, place, f"{what}: {name}") if len(given) == 3 else ""
        return number, name, tidy(doc), place

    def idl_Struct(self, name: str | None, fields: object, _at: Any, **given: object) -> m.Type:
        lines = self.lines(_at)
        given.setdefault("passby", m.PASS_BY_REFERENCE)
        kind = m.Struct(**self.type_attributes("Struct", name, given, lines))
        kind.fields = self.fields(fields, lines, f"Struct {name}" if name else "Struct")
        return self.declare(kind)

    def idl_Union(self, name: str | None, fields: object, _at: Any, **given: object) -> m.Type:
        lines = self.lines(_at)
        kind = m.Union(**self.type_attributes("Union", name, given, lines))
        kind.fields = self.fields(fields, lines, f"Union {name}" if name else "Union")
        return self.declare(kind)

    def idl_KeyedUnion(
        self, name: str | None, key: object, keyname: str, arms: object, _at: Any, **given: object
    ) -> m.Type:
        lines = self.lines(_at)
        what = f"KeyedUnion {name or keyname}"
        if not isinstance(key, m.Enumeration):
            raise Mistake(lines.place(), f"{what}: the key is to be an Enumeration, not {describe(key)}")
        about_key, rest = split(given, "keyvar_")
        keyvar = self.beside("keyvar_", keyname, key, about_key, lines, what)
        kind = m.KeyedUnion(keyvar=keyvar, **self.type_attributes("KeyedUnion", name, rest, lines))
        for given_arm in self.expect(arms, list, lines.place(), what):
            kind.fields.append(self.arm(given_arm, key, lines, what))
        return self.declare(kind)

    def arm(self, given: object, key: m.Enumeration, lines: Lines, what: str) -> m.Field:
        form = "(value's name, type or None[, doc])"
        if not isinstance(given, Item) or len(given) not in (2, 3):
            place = Place(lines.file, given.line) if isinstance(given, Item) else lines.place()
            raise Mistake(place, f"{what}: an arm is {form}, not {describe(given)}")
        place = Place(lines.file, given.line)
        name = self.expect(given[0], str, place, f"{what}: an arm's name")
        if given[1] is not None:
            self.expect(given[1], m.Type, place, f"{what}.{name}")
        doc = self.expect(given[2], str, place, f"{what}.{name}") if len(given) == 3 else ""
        value = key.find(name)
        if value is None:
            raise Mistake(place, f"{what}.{name}: {key.name} has no value of that name")
        return m.Field(name=name, type=given[1], place=place, doc=tidy(doc), value=value)

    def beside(
        self, stem: str, name: object, kind: m.Type, given: Names, lines: Lines, what: str
    ) -> m.Field:
        """The field that stands beside a keyed union or an array: its key or its length."""
        self.expect(name, str, lines.place(), f"{what}: {stem.rstrip('_')}'s name")
        here = Lines(lines.file, lines.call, {k: lines.place(stem + k).line for k in given})
        checked = self.attributes(given, FIELD_ATTRIBUTES, here, f"{what}: {stem.rstrip('_')}")
        return m.Field(name=str(name), type=kind, place=lines.place(), **checked)

    def idl_Array(self, element: m.Type, lenname: str, _at: Any, **given: object) -> m.Type:
        lines = self.lines(_at)
        self.expect(element, m.Type, lines.place(), "Array: the element")
        about_length, rest = split(given, "lenvar_")
        lenvar = self.beside("lenvar_", lenname, self.integer, about_length, lines, f"Array {lenname}")
        return m.Array(element=element, lenvar=lenvar, **self.type_attributes("Array", None, rest, lines))

    # The language: errors, events, operations

    def idl_Errors(self, errors: object, _at: Any, common: object = ()) -> None:
        lines = self.lines(_at)
        for given in self.expect(errors, list, lines.place(), "Errors"):
            number, name, doc, place = self.triple(given, lines, "Errors", "an error")
            self.model.errors.append(m.Error(value=number, name=name, doc=doc, place=place))
        self.model.common_errors += self.find_errors(common, lines, "common", "Errors")

    def find_errors(self, names: object, lines: Lines, keyword: str, what: str) -> list[m.Error]:
        found: list[m.Error] = []
        for name in names if isinstance(names, (list, tuple)) else [names]:
            place = Place(lines.file, name.line) if isinstance(name, Word) else lines.place(keyword)
            error = next((e for e in self.model.errors if e.name == name), None)
            if error is None:
                raise Mistake(place, f"{what}: no such error: {name}")
            if error in found:
                raise Mistake(place, f"{what}: error given twice: {name}")
            found.append(error)
        return found

    def idl_Event(
        self, number: int, name: str, fields: object, _at: Any, doc: str = "", since: str = "",
        aliases: object = (),
    ) -> m.Event:  # fmt: skip
        lines = self.lines(_at)
        self.expect(number, int, lines.place(), "Event")
        self.expect(name, str, lines.place(), "Event")
        self.expect(aliases, (list, tuple), lines.place("aliases"), f"Event {name}: aliases")
        names = tuple(str(a) for a in aliases) if isinstance(aliases, (list, tuple)) else ()
        return m.Event(
            number=number, name=name, fields=self.fields(fields, lines, f"Event {name}"),
            doc=tidy(self.expect(doc, str, lines.place("doc"), f"Event {name}: doc")), since=since,
            place=lines.place(), aliases=names,
        )  # fmt: skip

    def idl_Events(self, events: object, _at: Any) -> None:
        lines = self.lines(_at)
        if self.model.events:
            raise Mistake(lines.place(), "Events: declared once already")
        for event in self.expect(events, list, lines.place(), "Events"):
            self.model.events.append(self.expect(event, m.Event, lines.place(), "Events"))
        self.events_at, self.events_prefix = lines.place(), self.prefix

    def finish_events(self) -> None:
        """Make `event_type` and `event` of the events: callers see one struct with a keyed union."""
        if not self.model.events:
            return
        at, prefix = self.events_at, self.events_prefix
        kinds = {t.name: t for t in self.model.types}
        for needed in "domid", "uuid":
            if needed not in kinds:
                raise Mistake(at, f"Events: a type named {needed} is needed")
        since = self.model.events[0].since
        key = m.Enumeration(
            name="event_type", namespace=prefix, value_namespace=prefix, place=at, since=since,
            doc="What kind of event it is.",
        )  # fmt: skip
        stem = f"{prefix}event_type_".upper()
        key.values = [
            m.EnumValue(
                value=e.number, name=e.name.upper(), c_name=stem + e.name.upper(), place=e.place,
                doc=e.doc, aliases=tuple(stem + a.upper() for a in e.aliases),
            )
            for e in self.model.events
        ]  # fmt: skip
        keyvar = m.Field(name="type", type=key, place=at, doc="Which arm of u counts.")
        union = m.KeyedUnion(name=None, place=at, keyvar=keyvar)
        for event, value in zip(self.model.events, key.values, strict=True):
            arm = m.Struct(name=None, place=event.place, fields=event.fields) if event.fields else None
            union.fields.append(
                m.Field(name=event.name, type=arm, place=event.place, doc=event.doc, value=value)
            )
        link = m.Builtin(name="ev_link", namespace=prefix, place=at, private=True)
        uint64 = self.names["uint64"]
        assert isinstance(uint64, m.Type)
        struct = m.Struct(
            name="event", namespace=prefix, place=at, since=since, dir=m.DIR_OUT,
            passby=m.PASS_BY_REFERENCE, init_fn=f"{prefix}event_init",
            dispose_fn=f"{prefix}event_dispose", copy_fn=f"{prefix}event_copy",
            doc="Something that has happened.",
        )  # fmt: skip
        struct.fields = [
            m.Field(name="link", type=link, place=at, doc="For the holder's own list."),
            m.Field(name="domid", type=kinds["domid"], place=at, doc="The domain it is about."),
            m.Field(name="domuuid", type=kinds["uuid"], place=at, doc="That domain's identity."),
            m.Field(name="for_user", type=uint64, place=at, doc="What the application gave when it asked."),
            m.Field(name="u", type=union, place=at),
        ]
        self.model.event_type, self.model.event = key, struct
        self.model.types += [key, struct]

    def idl_Operation(
        self, name: str, _at: Any, *, doc: str = "", since: str = "", inputs: object = (),
        results: object = (), abort: str = "", limit: float | None = None, speed: str = "slow",
        python: str | None = None, **rest: object,
    ) -> None:  # fmt: skip
        lines = self.lines(_at)
        what = f"Operation {self.expect(name, str, lines.place(), 'Operation')}"
        for text, value in ("doc", doc), ("since", since), ("abort", abort), ("python", python or ""):
            self.expect(value, str, lines.place(text), f"{what}: {text}")
        self.expect(limit, (int, float, type(None)), lines.place("limit"), f"{what}: limit")
        if speed not in [s.value for s in m.Speed]:
            raise Mistake(lines.place("speed"), f'{what}: speed is "slow" or "instant", not {speed!r}')
        for unknown in set(rest) - {"errors", "progress", "undo"}:
            raise Mistake(lines.place(unknown), f"{what}: no such attribute: {unknown}")
        operation = m.Operation(
            name=name, namespace=self.prefix, python_name=python or name, doc=tidy(doc), since=since,
            inputs=self.fields(inputs or [], lines, what),
            results=self.fields(results or [], lines, what),
            errors=[], abort=tidy(abort), limit=limit, speed=m.Speed(speed), place=lines.place(),
        )  # fmt: skip
        self.model.operations.append(operation)
        self.pending.append((operation, lines, rest))

    def finish_operation(self, operation: m.Operation, lines: Lines, rest: Names) -> None:
        """Look up what an operation refers to by name, now that everything is declared."""
        what = f"Operation {operation.name}"
        operation.errors = self.find_errors(rest.get("errors", []), lines, "errors", what)
        if "progress" in rest:
            given = rest["progress"]
            if not isinstance(given, tuple) or len(given) != 2:
                raise Mistake(lines.place("progress"), f'{what}: progress is ("what", "event\'s name")')
            operation.progress_what = str(given[0])
            operation.progress = next((e for e in self.model.events if e.name == given[1]), None)
            if operation.progress is None:
                raise Mistake(lines.place("progress"), f"{what}: no such event: {given[1]}")
        if "undo" in rest:
            operation.undo = next((o for o in self.model.operations if o.name == rest["undo"]), None)
            if operation.undo is None:
                raise Mistake(lines.place("undo"), f"{what}: no such operation: {rest['undo']}")


def tidy(doc: str) -> str:
    """Documentation without its indentation, paragraphs separated by an empty line."""
    paragraphs = [" ".join(p.split()) for p in doc.strip().split("\n\n")]
    return "\n\n".join(p for p in paragraphs if p)


def split(given: Names, stem: str) -> tuple[Names, Names]:
    """The keywords that begin with `stem`, without it, and the others."""
    about = {k.removeprefix(stem): v for k, v in given.items() if k.startswith(stem)}
    return about, {k: v for k, v in given.items() if not k.startswith(stem)}


def describe(value: object) -> str:
    if isinstance(value, m.Type):
        return value.c_name or f"an anonymous {type(value).__name__}"
    if isinstance(value, tuple):
        return "(" + ", ".join(describe(v) for v in value) + ")"
    return repr(value) if isinstance(value, (str, int, float, type(None))) else f"a {type(value).__name__}"


def in_order(trees: list[tuple[str, ast.Module]]) -> list[tuple[str, ast.Module]]:
    """Files such that each comes after those whose names it uses; otherwise as given."""
    assigned = {shown: {t.id for n in tree.body if isinstance(n, ast.Assign)
                        for t in n.targets if isinstance(t, ast.Name)} for shown, tree in trees}  # fmt: skip
    used = {shown: {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            for shown, tree in trees}  # fmt: skip
    ordered: list[tuple[str, ast.Module]] = []
    waiting = list(trees)
    while waiting:
        free = next((w for w in waiting if not any(
            (used[w[0]] - assigned[w[0]]) & assigned[o[0]] for o in waiting if o is not w)), waiting[0])  # fmt: skip
        ordered.append(free)
        waiting.remove(free)
    return ordered
