# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types of the model, and the classes Place and Mistake. `gen.model` has the other classes of the model.

A type is one of

    Builtin       written by hand in C; the library supplies its helpers
    Number        an integer of C, by name; `uint8` ... `uint64`, `integer`, `size_t`
    Float         a floating-point number
    Enumeration   fixed values, each with a name
    Flags         a set of values with names; each value is one bit
    Struct        fields with names; a struct inside another one may be anonymous (name None)
    Union         a bare union: copied as bytes, owning nothing
    KeyedUnion    a union, and an enumeration whose value says which arm is valid
    Array         a pointer to elements and the field that counts them
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

PASS_BY_VALUE = 1
PASS_BY_REFERENCE = 2

DIR_NONE = 0
DIR_IN = 1
DIR_OUT = 2
DIR_BOTH = 3


@dataclass(frozen=True, order=True)
class Place:
    """A place in the IDL."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Mistake(Exception):
    """A mistake in the IDL. Its text is `file:line: message`."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


@dataclass(kw_only=True, eq=False)
class Declared:
    """A thing that a constructor of the IDL language declares."""

    place: Place
    # The lines of the declaration's attributes, by attribute name.
    keywords: dict[str, int] = field(default_factory=dict)

    def at(self, keyword: str) -> Place:
        """Returns the place of an attribute. If the attribute is not given, returns the place
        of the declaration."""
        return Place(self.place.file, self.keywords.get(keyword, self.place.line))


@dataclass(kw_only=True, eq=False)
class Type(Declared):
    """The attributes of all types. `name` excludes the namespace. It is None for an anonymous type.

    The *_fn are names of C functions. None means that the type needs no such function. A type without init_fn
    has an initial value of zero. A type without dispose_fn has no memory to free. A type without copy_fn is
    copied by assignment.
    """

    name: str | None
    namespace: str = ""
    doc: str = ""
    since: str = ""
    dir: int = DIR_BOTH
    passby: int = PASS_BY_VALUE
    private: bool = False
    hidden: bool = False
    init_val: str | None = None
    init_fn: str | None = None
    dispose_fn: str | None = None
    copy_fn: str | None = None
    check_default_fn: str | None = None
    copy_deprecated_fn: str | None = None
    json_gen_fn: str | None = None
    jsonc_json_gen_fn: str | None = None
    json_parse_type: str | None = None
    json_parse_fn: str | None = None
    autogenerate_init_fn: bool = True
    autogenerate_dispose_fn: bool = True
    autogenerate_copy_fn: bool = True
    autogenerate_json: bool = True
    depth: int = 0  # The number of levels of nested types, including this type.

    @property
    def c_name(self) -> str:
        """The C type's name, with its namespace: `libxl_dominfo`, `uint64_t`, `char *`."""
        return f"{self.namespace}{self.name}" if self.name is not None else ""

    @property
    def owns(self) -> bool:
        """Whether a value owns memory that its dispose function frees."""
        return self.dispose_fn is not None


@dataclass(kw_only=True, eq=False)
class Builtin(Type):
    """A type written by hand in C."""

    signed: bool = False
    json_pattern: str | None = None
    python: str | None = None


@dataclass(kw_only=True, eq=False)
class Number(Builtin):
    """An integer. `width` is the number of bits. It is None for `size_t`, whose width depends
    on the machine."""

    width: int | None = None

    @property
    def range(self) -> tuple[int, int] | None:
        """The least and the greatest value, or None if the width is not known."""
        if self.width is None:
            return None
        if self.signed:
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1


@dataclass(kw_only=True, eq=False)
class Float(Builtin):
    """A floating-point number: `double`."""


@dataclass(kw_only=True, eq=False)
class EnumValue:
    """A value of an enumeration. `name` is its name in the IDL ("PVH"), `c_name` in C
    ("LIBXL_DOMAIN_TYPE_PVH")."""

    value: int
    name: str
    c_name: str
    place: Place
    doc: str = ""
    aliases: tuple[str, ...] = ()  # The full C names that programs may use instead of `c_name`.

    @property
    def text(self) -> str:
        """The value's word in strings and in JSON."""
        return self.name.lower()


@dataclass(kw_only=True, eq=False)
class Enumeration(Type):
    values: list[EnumValue] = field(default_factory=list)
    value_namespace: str = ""

    def find(self, name: str) -> EnumValue | None:
        """Returns the value with this name, in upper or lower case."""
        return next((v for v in self.values if v.name == name.upper()), None)


@dataclass(kw_only=True, eq=False)
class Flags(Enumeration):
    """A set of flags. Each value is a single bit. C combines the values with `|`."""

    @property
    def mask(self) -> int:
        return sum(v.value for v in self.values)


@dataclass(kw_only=True, eq=False)
class Field:
    """A member of an aggregate, or an input or result of an operation.

    `min` and `max` bound a number's value or an array's length. In a KeyedUnion `value` is the
    key's value that selects this arm, and `type` is None for an arm that carries nothing. An optional input
    may be NULL.
    """

    name: str
    type: Type | None
    place: Place
    doc: str = ""
    const: bool = False
    init_val: str | None = None
    enumname: str | None = None
    deprecated_by: str | None = None
    min: float | None = None
    max: float | None = None
    optional: bool = False
    unsupported: bool = False  # true: the operations that check the field accept only the initial value.
    json: bool = False  # true: the string is the text of a JSON document, which Python converts.
    value: EnumValue | None = None
    named: Enumeration | None = None  # The enumeration that the attribute enumname names.

    @property
    def enumeration(self) -> Enumeration | None:
        """The enumeration of the field's values. The field may be declared as a number with an enumname."""
        return self.type if isinstance(self.type, Enumeration) else self.named

    @property
    def kind(self) -> Type:
        """The field's type. An empty arm of a union has no type. So a caller must not use this property
        for an empty arm."""
        assert self.type is not None, self.name
        return self.type


@dataclass(kw_only=True, eq=False)
class Aggregate(Type):
    fields: list[Field] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class Struct(Aggregate):
    @property
    def owns(self) -> bool:
        by_hand = self.dispose_fn is not None and not self.autogenerate_dispose_fn
        return by_hand or any(f.kind.owns for f in self.fields if not f.const)


@dataclass(kw_only=True, eq=False)
class Union(Aggregate):
    pass


@dataclass(kw_only=True, eq=False)
class KeyedUnion(Aggregate):
    """A union and its key. `keyvar` is the field beside the union that holds the key."""

    keyvar: Field

    @property
    def key(self) -> Enumeration:
        """The key's type."""
        kind = self.keyvar.kind
        assert isinstance(kind, Enumeration)
        return kind

    @property
    def owns(self) -> bool:
        return any(f.type.owns for f in self.fields if f.type is not None)


@dataclass(kw_only=True, eq=False)
class Array(Type):
    """An array. `lenvar` is the field beside the pointer that holds the number of elements."""

    element: Type
    lenvar: Field

    @property
    def owns(self) -> bool:
        return True


def walk(kind: Type) -> Iterator[Type]:
    """`kind` and every type within it, outermost first."""
    yield kind
    for inner in parts(kind):
        yield from walk(inner)


def parts(kind: Type) -> Iterator[Type]:
    """Yields the types that `kind` is made of."""
    if isinstance(kind, Array):
        yield kind.element
    elif isinstance(kind, KeyedUnion):
        yield kind.key
    if isinstance(kind, Aggregate):
        yield from (member.type for member in kind.fields if member.type is not None)
