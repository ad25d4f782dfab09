# SPDX-License-Identifier: LGPL-2.1-or-later
"""The constructors of types, as IDL files call them. Each method `idl_<Name>` is a constructor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from gen import attributes
from gen import model as m
from gen.attributes import Names, checked, describe, expect, split, tidy
from gen.locate import At, Item, Lines
from gen.model import Mistake, Place

T = TypeVar("T", bound=m.Type)

DEEPEST = 64
"""The greatest depth of nested types, which is also the greatest depth of a JSON document in src/json."""

DIRECTIONS = (m.DIR_NONE, m.DIR_IN, m.DIR_OUT, m.DIR_BOTH)
WAYS = (m.PASS_BY_VALUE, m.PASS_BY_REFERENCE)
FIELD_FORM = "a field is (name, type[, doc][, {attributes}])"
ARM_FORM = "an arm is (name of a value, type or None[, doc])"

NOWHERE = Place("", 0)
INTEGER = m.Number(name="int", place=NOWHERE, signed=True, width=32)
STRING = m.Builtin(
    name="char *",
    place=NOWHERE,
    dispose_fn="free",
    copy_fn="libxl_string_copy",
    json_parse_type="JSON_STRING | JSON_NULL",
)
TYPES: Names = {
    "void": m.Builtin(name="void *", place=NOWHERE),
    "bool": m.Builtin(name="bool", place=NOWHERE, json_parse_type="JSON_BOOL"),
    "string": STRING,
    "size_t": m.Number(name="size_t", place=NOWHERE),
    "integer": INTEGER,
    "double": m.Float(name="double", place=NOWHERE, json_parse_type="JSON_NUMBER"),
    **{f"uint{w}": m.Number(name=f"uint{w}_t", place=NOWHERE, width=w) for w in (8, 16, 32, 64)},
}


class TypeLanguage:
    """The constructors of types, and what they know about the file that is running."""

    def __init__(self) -> None:
        self.model = m.Model()
        self.fields_to_name: list[m.Field] = []
        self.begin("")

    def begin(self, file: str, extending: bool = False) -> None:
        """Begins a file. A file has no namespace and hides nothing at its beginning. `extending`: the file
        belongs to an extension."""
        self.file = file
        self.extending = extending
        self.prefix = ""
        self.hide = False

    def lines(self, at: At) -> Lines:
        return Lines(self.file, at[0], dict(at[1]))

    # Directives

    def idl_namespace(self, prefix: str, _at: At) -> None:
        self.prefix = expect(prefix, (str,), self.lines(_at).place(), "namespace")

    def idl_hidden(self, hide: bool, _at: At) -> None:
        self.hide = expect(hide, (bool,), self.lines(_at).place(), "hidden")

    # Types

    def idl_Builtin(self, name: str, _at: At, **given: object) -> m.Type:
        kind = m.Builtin(**self.common("Builtin", name, given, self.lines(_at)))
        # libxl's files declare some builtins twice. In C both declarations mean one type.
        again = any(type(t) is m.Builtin and t.c_name == kind.c_name for t in self.model.types)
        return kind if again else self.declare(kind)

    def idl_Number(self, name: str, _at: At, **given: object) -> m.Type:
        return self.declare(
            m.Number(**self.common("Number", name, {"namespace": None} | given, self.lines(_at)))
        )

    def idl_UInt(self, width: int, _at: At, **given: object) -> m.Type:
        lines = self.lines(_at)
        if width not in (8, 16, 32, 64):
            raise Mistake(lines.place(), f"UInt: 8, 16, 32 or 64 bits, not {describe(width)}")
        common = self.common("UInt", f"uint{width}_t", {"namespace": None} | given, lines)
        return m.Number(width=width, **common)

    def idl_Enumeration(self, name: str, values: object, _at: At, **given: object) -> m.Type:
        return self.enumeration(m.Enumeration, name, values, _at, given)

    def idl_Flags(self, name: str, values: object, _at: At, **given: object) -> m.Type:
        return self.enumeration(m.Flags, name, values, _at, given)

    def enumeration(
        self, made: type[m.Enumeration], name: str, values: object, _at: At, given: Names
    ) -> m.Type:
        lines = self.lines(_at)
        what = f"{made.__name__} {name}"
        common = self.common(made.__name__, name, given, lines)
        prefix = common["value_namespace"] = common.get("value_namespace", common["namespace"]) or ""
        kind = made(**common)
        for given_value in expect(values, (list,), lines.place(), what):
            number, word, doc, place = self.triple(given_value, lines, what, "value")
            full = f"{prefix}{name}_{word}".upper()
            value = m.EnumValue(value=number, name=word.upper(), c_name=full, place=place, doc=doc)
            kind.values.append(value)
        return self.declare(kind)

    def idl_Struct(self, name: str | None, fields: object, _at: At, **given: object) -> m.Type:
        lines = self.lines(_at)
        kind = m.Struct(**self.common("Struct", name, given, lines))
        kind.passby = m.PASS_BY_REFERENCE
        what = f"Struct {name}" if name else "Struct"
        kind.fields = self.fields(fields, lines, what)
        return self.declare(self.holding(kind, (f.type for f in kind.fields), what))

    def idl_Union(self, name: str | None, fields: object, _at: At, **given: object) -> m.Type:
        lines = self.lines(_at)
        kind = m.Union(**self.common("Union", name, given, lines))
        what = f"Union {name}" if name else "Union"
        kind.fields = self.fields(fields, lines, what)
        for f in kind.fields:
            self.one_place(f, what)
        return self.declare(self.holding(kind, (f.type for f in kind.fields), what))

    def idl_KeyedUnion(
        self, name: None, key: object, keyname: str, arms: object, _at: At, **given: object
    ) -> m.Type:
        lines = self.lines(_at)
        what = f"KeyedUnion {keyname}"
        if name is not None:
            raise Mistake(lines.place(), f"{what}: a KeyedUnion has no name: write None instead of {name!r}")
        if not isinstance(key, m.Enumeration) or isinstance(key, m.Flags):
            raise Mistake(lines.place(), f"{what}: the key is an Enumeration, not {describe(key)}")
        about_key, rest = split(given, "keyvar_")
        keyvar = self.beside("keyvar_", keyname, key, about_key, lines, what)
        kind = m.KeyedUnion(keyvar=keyvar, **self.common("KeyedUnion", None, rest, lines))
        kind.fields = [self.arm(a, key, lines, what) for a in expect(arms, (list,), lines.place(), what)]
        return self.holding(kind, (f.type for f in kind.fields), what)

    def idl_Array(self, element: object, lenname: str, _at: At, **given: object) -> m.Type:
        lines = self.lines(_at)
        what = f"Array {lenname}"
        kind: m.Type = expect(element, (m.Type,), lines.place(), f"{what}: the element")
        if kind.name is None:
            raise Mistake(lines.place(), f"{what}: the element needs a name, and is {describe(kind)}")
        about_length, rest = split(given, "lenvar_")
        lenvar = self.beside("lenvar_", lenname, INTEGER, about_length, lines, what)
        array = m.Array(element=kind, lenvar=lenvar, **self.common("Array", None, rest, lines))
        return self.holding(array, (kind,), what)

    # Shared by the constructors

    def declare(self, kind: T) -> T:
        if kind.name is not None:
            self.model.types.append(kind)
        return kind

    @staticmethod
    def holding(kind: T, held: Iterable[m.Type | None], what: str) -> T:
        """Sets the depth of `kind` to one more than the greatest depth of the types in `held`.
        Returns `kind`."""
        kind.depth = 1 + max((t.depth for t in held if t is not None), default=0)
        if kind.depth > DEEPEST:
            raise Mistake(kind.place, f"{what}: more than {DEEPEST} types inside one another")
        return kind

    def common(self, kind: str, name: object, given: Names, lines: Lines) -> dict[str, Any]:
        """Returns a type's attributes, completed with the defaults of its kind."""
        what = kind if name is None else f"{kind} {expect(name, (str,), lines.place(), kind)}"
        allowed = attributes.ANONYMOUS if name is None else attributes.TYPE[kind]
        result: dict[str, Any] = {"namespace": self.prefix, "hidden": self.hide}
        result |= checked(given, allowed, lines, what)
        for attribute, values in (("dir", DIRECTIONS), ("passby", WAYS)):
            if result.get(attribute, values[-1]) not in values:
                raise Mistake(
                    lines.place(attribute), f"{what}: {attribute}: no such value: {result[attribute]}"
                )
        for word in (result.get("json_parse_type") or "JSON_ANY").split("|"):
            if word.strip() not in attributes.SHAPES:
                raise Mistake(
                    lines.place("json_parse_type"), f"{what}: json_parse_type: no such shape: {word.strip()}"
                )
        form = result.get("python", attributes.FORMS_OF_LIBXL.get(f"{result['namespace']}{name}"))
        if kind == "Builtin":
            result["python"] = form
        if form not in (None, *attributes.FORMS):
            raise Mistake(lines.place("python"), f"{what}: python: no such form: {form}")
        if kind == "Struct" and result.get("passby", m.PASS_BY_REFERENCE) != m.PASS_BY_REFERENCE:
            raise Mistake(lines.place("passby"), f"{what}: passby: a Struct is passed by reference")
        result["namespace"] = result["namespace"] or ""
        if name is not None:
            for function, form in attributes.FUNCTIONS.get(kind, {}).items():
                result.setdefault(function, form.format(f"{result['namespace']}{name}"))
        result["doc"] = tidy(result.get("doc", ""))
        return result | {"name": name, "place": lines.place(), "keywords": lines.keywords}

    def triple(self, given: object, lines: Lines, what: str, which: str) -> tuple[int, str, str, Place]:
        """Reads a tuple (number, name[, doc]). Values and errors have this form in the IDL."""
        place = lines.of(given)
        if not isinstance(given, Item) or len(given) not in (2, 3):
            raise Mistake(place, f"{what}: a {which} is (number, name[, doc]), not {describe(given)}")
        number = expect(given[0], (int,), place, f"{what}: a {which}'s number")
        name = expect(given[1], (str,), place, f"{what}: a {which}'s name")
        doc = expect(given[2], (str,), place, f"{what}: {name}: doc") if len(given) == 3 else ""
        return number, name, tidy(doc), place

    def fields(self, given: object, lines: Lines, what: str) -> list[m.Field]:
        return [self.field(f, lines, what) for f in expect(given, (list,), lines.place(), what)]

    def field(self, given: object, lines: Lines, what: str) -> m.Field:
        place = lines.of(given)
        if not isinstance(given, Item) or not 2 <= len(given) <= 4:
            raise Mistake(place, f"{what}: {FIELD_FORM}, not {describe(given)}")
        name = expect(given[0], (str,), place, f"{what}: a field's name")
        what = f"{what}.{name}"
        kind: m.Type = expect(given[1], (m.Type,), place, what)
        rest = list(given[2:])
        doc = expect(rest.pop(0), (str,), place, what) if rest and isinstance(rest[0], str) else ""
        about = rest.pop(0) if rest and isinstance(rest[0], dict) else {}
        if rest:
            raise Mistake(place, f"{what}: {FIELD_FORM}, not {describe(given)}")
        about = checked(about, attributes.FIELD, Lines(place.file, place.line, {}), what)
        if about.get("deprecated_by"):
            doc = f"{doc} Deprecated: {about['deprecated_by']} is in its place."
        if about.get("unsupported"):
            doc = f"{doc} Not supported: another value than the initial one is refused."
        return self.to_name(m.Field(name=name, type=kind, place=place, doc=tidy(doc), **about))

    def to_name(self, f: m.Field) -> m.Field:
        """Returns the field. If the field has an enumname, the enumeration is looked up after all files
        have run."""
        if f.enumname is not None:
            self.fields_to_name.append(f)
        return f

    @staticmethod
    def one_place(f: m.Field, what: str) -> None:
        """Refuses a keyed union or an array in a union. Its key or its length would overlap with the
        other arms."""
        if isinstance(f.type, (m.Array, m.KeyedUnion)):
            word = "an Array" if isinstance(f.type, m.Array) else "a KeyedUnion"
            raise Mistake(f.place, f"{what}.{f.name}: {word} in a union: wrap it in a Struct")

    def arm(self, given: object, key: m.Enumeration, lines: Lines, what: str) -> m.Field:
        place = lines.of(given)
        if not isinstance(given, Item) or len(given) not in (2, 3):
            raise Mistake(place, f"{what}: {ARM_FORM}, not {describe(given)}")
        name = expect(given[0], (str,), place, f"{what}: an arm's name")
        what = f"{what}.{name}"
        kind: m.Type | None = expect(given[1], (m.Type, type(None)), place, what)
        doc = expect(given[2], (str,), place, f"{what}: doc") if len(given) == 3 else ""
        value = key.find(name)
        if value is None:
            raise Mistake(place, f"{what}: {key.name} has no such value")
        arm = m.Field(name=name, type=kind, place=place, doc=tidy(doc), value=value)
        self.one_place(arm, what.rpartition(".")[0])
        return arm

    def beside(self, stem: str, name: str, kind: m.Type, given: Names, lines: Lines, what: str) -> m.Field:
        """Returns the field beside a keyed union or an array: its key or its length."""
        expect(name, (str,), lines.place(), f"{what}: the name of its {stem.rstrip('_')}")
        here = Lines(lines.file, lines.call, {k: lines.place(stem + k).line for k in given})
        about = checked(given, attributes.BESIDE[stem], here, f"{what}: {stem.rstrip('_')}")
        if stem == "lenvar_" and about.get("init_val") not in (None, "0"):
            raise Mistake(
                here.place("init_val"), f"{what}: lenvar_init_val: the initial length of an array is 0"
            )
        return self.to_name(m.Field(name=name, type=kind, place=lines.place(), **about))
