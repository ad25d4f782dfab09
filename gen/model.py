# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model of an IDL. Outputs read the model and nothing else.

A `Model` holds everything in order of declaration. Types come as one of

    Builtin       written by hand in C; the library supplies its helpers
    Number        an integer of C, by name; `uint8` ... `uint64`, `integer`, `size_t`
    Float         a floating-point number
    Enumeration   fixed values, each with a name
    Flags         a set of such values, each of which is one bit
    Struct        named fields; anonymous (name None) when it stands inside another
    Union         a bare union: copied as bytes, owning nothing
    KeyedUnion    a union and the enumeration that says which arm counts
    Array         a pointer to elements and the field that counts them
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

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
    """Something wrong in the IDL; its text is `file:line: message`."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


@dataclass(kw_only=True, eq=False)
class Declared:
    """Something that a constructor of the language declares."""

    place: Place
    keywords: dict[str, int] = field(default_factory=dict)  # the lines of its attributes

    def at(self, keyword: str) -> Place:
        """The place of an attribute, or of the whole declaration if it is not given."""
        return Place(self.place.file, self.keywords.get(keyword, self.place.line))


@dataclass(kw_only=True, eq=False)
class Type(Declared):
    """The attributes of all types. `name` is without the namespace; None for an anonymous type.

    The *_fn are names of C functions; None says that the type needs none (no memory to free,
    copied by assignment, zero is its initial value).
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
    depth: int = 0  # of nested types, itself included

    @property
    def c_name(self) -> str:
        """The C type's name, with its namespace: `libxl_dominfo`, `uint64_t`, `char *`."""
        return f"{self.namespace}{self.name}" if self.name is not None else ""

    @property
    def owns(self) -> bool:
        """Whether a value owns something that its dispose function frees."""
        return self.dispose_fn is not None


@dataclass(kw_only=True, eq=False)
class Builtin(Type):
    """A type written by hand in C."""

    signed: bool = False
    json_pattern: str | None = None
    python: str | None = None


@dataclass(kw_only=True, eq=False)
class Number(Builtin):
    """An integer. `width` is in bits; None if only C knows it (`size_t`)."""

    width: int | None = None

    @property
    def range(self) -> tuple[int, int] | None:
        """The least and the greatest value, if the width is known."""
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
    """One value: `name` as in the IDL ("PVH"), `c_name` in full ("LIBXL_DOMAIN_TYPE_PVH")."""

    value: int
    name: str
    c_name: str
    place: Place
    doc: str = ""
    aliases: tuple[str, ...] = ()  # further C names in full, for callers that use an old name

    @property
    def text(self) -> str:
        """Its word in strings and in JSON."""
        return self.name.lower()


@dataclass(kw_only=True, eq=False)
class Enumeration(Type):
    values: list[EnumValue] = field(default_factory=list)
    value_namespace: str = ""

    def find(self, name: str) -> EnumValue | None:
        """The value of that name, in any case."""
        return next((v for v in self.values if v.name == name.upper()), None)


@dataclass(kw_only=True, eq=False)
class Flags(Enumeration):
    """A set of flags. The values are single bits; C combines them with `|`."""

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
    value: EnumValue | None = None
    named: Enumeration | None = None  # by enumname

    @property
    def enumeration(self) -> Enumeration | None:
        """The enumeration of its values, also where it is declared as a number."""
        return self.type if isinstance(self.type, Enumeration) else self.named

    @property
    def kind(self) -> Type:
        """The type, for fields that have one: all but empty arms."""
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
    """`keyvar` is the field beside the union."""

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
    """`lenvar` is the field beside the pointer."""

    element: Type
    lenvar: Field

    @property
    def owns(self) -> bool:
        return True


@dataclass(kw_only=True, eq=False)
class Error:
    """One `ERROR_<name>`; `value` is negative, `doc` one line."""

    value: int
    name: str
    doc: str
    place: Place
    namespace: str = ""  # an extension's; empty in the library

    @property
    def c_name(self) -> str:
        return f"{self.namespace.upper()}ERROR_{self.name}"


@dataclass(kw_only=True, eq=False)
class Event(Declared):
    """Something that the library reports. `fields` are its fields beyond domid, domuuid and for_user."""

    number: int
    name: str
    fields: list[Field]
    doc: str
    since: str
    aliases: tuple[str, ...] = ()


class Speed(Enum):
    """slow: waits for something. instant: a few hypercalls, done inside the initiator."""

    SLOW = "slow"
    INSTANT = "instant"


@dataclass(kw_only=True, eq=False)
class Phase(Declared):
    """One step of a slow operation.

    `waits`, `stop` and `undo` are prose. Each is present exactly if the operation's source has the
    function that it describes. Limits are in seconds. `limit_error` is None if the phase has no limit,
    or if the operation goes on to its next phase when the limit has passed.
    """

    name: str
    doc: str
    waits: str
    stop: str
    stop_limit: float | None
    undo: str
    undo_limit: float | None
    limit: float | None
    limit_error: Error | None = None
    commits: bool = False


@dataclass(kw_only=True, eq=False)
class Operation(Declared):
    """An operation of the library.

    `name` is the C name without the namespace, `python_name` the Python name. `errors` excludes those
    that every operation can give (`Model.common_errors`). `limit` is the default time limit in seconds.
    `progress` is the event that the operation reports before its completion, and `progress_what` the word
    for it in the name of the last parameter, `aop_<what>_how`. `undo` is the operation that reverses it.
    A hidden operation is started only by other operations.
    """

    name: str
    namespace: str
    python_name: str
    doc: str
    since: str
    inputs: list[Field]
    results: list[Field]
    errors: list[Error]
    abort: str
    limit: float | None
    speed: Speed
    phases: list[Phase] = field(default_factory=list)
    hidden: bool = False
    progress: Event | None = None
    progress_what: str = ""
    undo: Operation | None = None

    @property
    def c_name(self) -> str:
        return f"{self.namespace}{self.name}"

    @property
    def summary(self) -> str:
        """The documentation's first paragraph, as one line."""
        return " ".join(self.doc.split("\n\n")[0].split())

    @property
    def abortable(self) -> bool:
        return not self.abort.startswith("Not abortable")

    @property
    def domid(self) -> Field | None:
        """The input that names the operation's domain, if it has one."""
        return next((f for f in self.inputs if f.kind.name == "domid"), None)


@dataclass(kw_only=True, eq=False)
class Function(Declared):
    """A public function that is written by hand. `page` is the manual page that describes it."""

    name: str
    namespace: str
    page: str
    since: str

    @property
    def c_name(self) -> str:
        return f"{self.namespace}{self.name}"


@dataclass(kw_only=True, eq=False)
class Model:
    """The whole IDL, in order of declaration.

    `types` are the named ones; the language's own (`string`, `uint8`...) are not among them.
    `event_type` and `event`, made from the events, are the last of them. `name` is what files and
    tables are called after: the library's, or the extension's.
    """

    files: list[str] = field(default_factory=list)
    types: list[Type] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)
    common_errors: list[Error] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    event_type: Enumeration | None = None
    event: Struct | None = None
    operations: list[Operation] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    types_by_hand: dict[str, Place] = field(default_factory=dict)  # public types, by their C names
    internal: list[str] = field(default_factory=list)  # patterns, without the prefix libxl__
    name: str = "libxl"
    base: Model | None = None

    def extension(self, name: str, files: Collection[str]) -> Model:
        """The part of the model that these files declare. Its `base` is the whole."""
        return replace(
            self,
            types=[t for t in self.types if t.place.file in files],
            errors=[e for e in self.errors if e.place.file in files],
            events=[e for e in self.events if e.place.file in files],
            event_type=None,
            event=None,
            operations=[o for o in self.operations if o.place.file in files],
            functions=[f for f in self.functions if f.place.file in files],
            internal=[],
            name=name,
            base=self,
        )

    @property
    def whole(self) -> Model:
        """The model with the library that it extends, if it is an extension."""
        return self.base or self

    @property
    def public_operations(self) -> list[Operation]:
        """Those that an application can start."""
        return [o for o in self.operations if not o.hidden]

    @property
    def enumerations(self) -> list[Enumeration]:
        return [t for t in self.types if isinstance(t, Enumeration)]

    @property
    def aggregates(self) -> list[Aggregate]:
        """Structs, unions and keyed unions that have a name."""
        return [t for t in self.types if isinstance(t, Aggregate)]

    @property
    def structs(self) -> list[Struct]:
        return [t for t in self.types if isinstance(t, Struct)]


def walk(kind: Type) -> Iterator[Type]:
    """`kind` and every type within it, outermost first."""
    yield kind
    for inner in parts(kind):
        yield from walk(inner)


def parts(kind: Type) -> Iterator[Type]:
    """The types that `kind` is made of."""
    if isinstance(kind, Array):
        yield kind.element
    elif isinstance(kind, KeyedUnion):
        yield kind.key
    if isinstance(kind, Aggregate):
        yield from (member.type for member in kind.fields if member.type is not None)
