# SPDX-License-Identifier: LGPL-2.1-or-later
"""The JSON form in which inputs, results and events travel between hosts.

A struct has the form of to_json() and is read by from_json(), which is strict. The other values are read by
the classes here, which are as strict: a wrong type, an unknown word or an unknown member raises
InvalidError, with the path of the value. The generated tables in _fleet_operations.py consist of these
classes.
"""

from __future__ import annotations

import base64
import enum
import functools
import json
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast
from uuid import UUID

from aioxen import errors
from aioxen._spec import DomainBase
from aioxen.json import from_json, to_json
from aioxen.types import Event

Json: TypeAlias = Any
"""A value of a JSON document, as the module json reads it."""

MOST_LEVELS = 64
"""The greatest depth of a document. The C library has the same limit."""

E = TypeVar("E", bound=enum.IntEnum | enum.IntFlag)
T = TypeVar("T")


class Kind(ABC, Generic[T]):
    """The JSON form of one type."""

    def to(self, value: T) -> Json:
        """Returns the JSON form of a value."""
        return value

    @abstractmethod
    def of(self, given: Json, path: str) -> T:
        """Returns the value of a JSON form. Raises InvalidError with the path."""


def refuse(path: str, wanted: str, given: Json) -> errors.InvalidError:
    """Returns the error for a value of the wrong form."""
    shown = json.dumps(given)
    return errors.InvalidError(f"{path}: {wanted} is expected, not {shown[:80]}")


class Plain(Kind[Any]):
    """A value that has the same form in JSON and in Python."""

    def __init__(self, kind: type, wanted: str) -> None:
        self.kind = kind
        self.wanted = wanted

    def of(self, given: Json, path: str) -> Any:
        if type(given) is not self.kind:
            raise refuse(path, self.wanted, given)
        return given


class AnyValue(Kind[Any]):
    """A value of any type that JSON has. It is the same in JSON and in Python."""

    def of(self, given: Json, path: str) -> Any:
        return given


class Real(Kind[float]):
    def of(self, given: Json, path: str) -> float:
        if type(given) not in (int, float):
            raise refuse(path, "a number", given)
        return float(given)


class Identity(Kind[UUID]):
    """A UUID, as "8-4-4-4-12" hexadecimal digits."""

    def to(self, value: UUID) -> Json:
        return str(value)

    def of(self, given: Json, path: str) -> UUID:
        found: UUID | None
        try:
            found = UUID(given)
        except (TypeError, ValueError, AttributeError):
            found = None
        if found is None or str(found) != given:
            raise refuse(path, "a UUID", given)
        return found


class Word(Kind[E]):
    """A member of an enumeration, as its word in lower case. A set of flags is an array of words."""

    def __init__(self, kind: type[E]) -> None:
        self.kind = kind
        self.flags = issubclass(kind, enum.IntFlag)
        members: list[Any] = list(cast(Any, kind))
        self.words: dict[str, E] = {member.name.lower(): member for member in members}

    def to(self, value: E) -> Json:
        if self.flags:
            return [word for word, member in self.words.items() if member and member in value]  # type: ignore[operator]
        # A value that this release does not know has no word.
        return next((word for word, member in self.words.items() if member == value), int(value))

    def of(self, given: Json, path: str) -> E:
        words = given if self.flags and isinstance(given, list) else [given]
        if not all(isinstance(word, str) and word in self.words for word in words):
            raise refuse(path, f"a word of {self.kind.__name__}", given)
        members = [int(self.words[word]) for word in words]
        found: E = cast(Any, self.kind)(functools.reduce(operator.or_, members, 0))
        return found


class Struct(Kind[Any]):
    """A dataclass of aioxen.types, in the form of to_json()."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def to(self, value: Any) -> Json:
        if not isinstance(value, self.kind):
            raise TypeError(f"a {self.kind.__name__} is expected, not {value!r}")
        return json.loads(to_json(value))

    def of(self, given: Json, path: str) -> Any:
        try:
            return from_json(self.kind, json.dumps(given))
        except errors.InvalidError as error:
            raise errors.InvalidError(f"{path}: {error.message}") from None


class Listed(Kind[list[Any]]):
    """A list of dataclasses."""

    def __init__(self, kind: type) -> None:
        self.element = Struct(kind)

    def to(self, value: list[Any]) -> Json:
        return [self.element.to(one) for one in value]

    def of(self, given: Json, path: str) -> list[Any]:
        if not isinstance(given, list):
            raise refuse(path, "an array", given)
        return [self.element.of(one, f"{path}[{i}]") for i, one in enumerate(given)]


class Bits(Kind[set[int]]):
    def to(self, value: set[int]) -> Json:
        return sorted(value)

    def of(self, given: Json, path: str) -> set[int]:
        if not isinstance(given, list) or not all(type(bit) is int and bit >= 0 for bit in given):
            raise refuse(path, "an array of numbers", given)
        return set(given)


class Strings(Kind[list[str]]):
    def of(self, given: Json, path: str) -> list[str]:
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            raise refuse(path, "an array of strings", given)
        return given


class Pairs(Kind[dict[str, str | None]]):
    def of(self, given: Json, path: str) -> dict[str, str | None]:
        if not isinstance(given, dict) or not all(v is None or isinstance(v, str) for v in given.values()):
            raise refuse(path, "an object of strings", given)
        return given


class Blob(Kind[bytes]):
    """Octets, in base64."""

    def to(self, value: bytes) -> Json:
        return base64.b64encode(value).decode()

    def of(self, given: Json, path: str) -> bytes:
        try:
            return base64.b64decode(given, validate=True)
        except (TypeError, ValueError):
            raise refuse(path, "base64", given) from None


class RemoteDomain(DomainBase):
    """A domain in a message: its domid, and its UUID if the UUID is known."""

    __slots__ = ("domid", "_uuid_bytes")

    def __init__(self, domid: int, uuid: bytes) -> None:
        self.domid = domid
        self._uuid_bytes = uuid


class DomainReference(Kind[Any]):
    """A domain: its domid, or an object with its domid and its UUID."""

    def to(self, value: Any) -> Json:
        if isinstance(value, DomainBase):
            uuid = str(UUID(bytes=value._uuid_bytes)) if value._uuid_bytes else None
            return {"domid": value.domid, "uuid": uuid} if uuid else value.domid
        if type(value) is not int:
            raise TypeError(f"domid: a domid or a Domain is expected, not {value!r}")
        return value

    def of(self, given: Json, path: str) -> Any:
        uuid = b""
        if isinstance(given, dict) and given.keys() == {"domid", "uuid"}:
            uuid = IDENTITY.of(given["uuid"], f"{path}.uuid").bytes
            given = given["domid"]
        if type(given) is not int or not 0 <= given < 0xFFFFFFFF:
            raise refuse(path, "a domid", given)
        return RemoteDomain(given, uuid)


class Passage(NamedTuple):
    """The connection between two agents over which a guest moves."""

    ticket: str
    """The secret that the sender shows to the receiver."""
    peer: str
    """The host at the other end."""
    address: str
    """For the sender: the address at which the receiver listens."""
    uuid: UUID
    """The domain that moves."""


class PassageKind(Kind[Passage]):
    """A Passage, as an object with its fields."""

    def to(self, value: Passage) -> Json:
        return {**value._asdict(), "uuid": str(value.uuid)}

    def of(self, given: Json, path: str) -> Passage:
        if not isinstance(given, dict) or given.keys() != set(Passage._fields):
            raise refuse(path, f"an object with {', '.join(Passage._fields)}", given)
        texts = [TEXT.of(given[name], f"{path}.{name}") for name in ("ticket", "peer", "address")]
        if not TICKET.fullmatch(texts[0]):
            raise refuse(f"{path}.ticket", "16 to 64 letters, digits, - and _", texts[0])
        ticket, peer, address = texts
        return Passage(ticket, peer, address, IDENTITY.of(given["uuid"], f"{path}.uuid"))


TICKET = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
NUMBER = Plain(int, "a number")
BOOL = Plain(bool, "true or false")
TEXT = Plain(str, "a string")
OBJECT = Plain(dict, "an object")
ANY = AnyValue()
REAL = Real()
IDENTITY = Identity()
BITS = Bits()
STRINGS = Strings()
PAIRS = Pairs()
BLOB = OCTETS = Blob()
DOMAIN = DOMAIN_LIKE = DomainReference()
PASSAGE = PassageKind()


class Need(enum.Enum):
    """Whether a request must have an input."""

    REQUIRED = 1
    DEFAULT = 2
    """An absent input has the default of the method."""
    OPTIONAL = 3
    """The input may be absent or null."""


class Input:
    """An input of an operation."""

    __slots__ = ("name", "kind", "need")

    def __init__(self, name: str, kind: Kind[Any], need: Need = Need.REQUIRED) -> None:
        self.name = name
        self.kind = kind
        self.need = need


class Remote:
    """The inputs and results of an operation that can be called on another host."""

    __slots__ = ("inputs", "results", "undo", "waits")

    def __init__(
        self, inputs: list[Input], results: list[Kind[Any]], undo: str = "", waits: bool = False
    ) -> None:
        self.inputs: list[Input] = inputs
        self.results: list[Kind[Any]] = results
        self.undo: str = undo
        """The operation that undoes this one. Its input is the domain that this one makes."""
        self.waits: bool = waits
        """Whether the operation waits. Only such an operation reports progress."""

    def encode_inputs(self, given: Mapping[str, Any]) -> Json:
        """Returns the JSON form of the inputs. An optional input, and one with a default, may be missing.
        Raises TypeError or ValueError, with the name of the input."""
        given = {name: value for name, value in given.items() if value is not None}
        return {
            i.name: i.kind.to(given.get(i.name))
            for i in self.inputs
            if i.need is Need.REQUIRED or i.name in given
        }

    def decode_inputs(self, given: Json) -> dict[str, Any]:
        """Returns the inputs by name. Raises InvalidError."""
        if not isinstance(given, dict):
            raise refuse("inputs", "an object", given)
        known = {i.name: i for i in self.inputs}
        for name in given:
            if name not in known:
                raise errors.InvalidError(f"inputs: there is no input {name[:40]!r}")
        for i in self.inputs:
            if i.need is Need.REQUIRED and i.name not in given:
                raise errors.InvalidError(f"inputs.{i.name}: missing")
        return {
            name: None
            if value is None and known[name].need is Need.OPTIONAL
            else known[name].kind.of(value, f"inputs.{name}")
            for name, value in given.items()
        }

    def encode_result(self, value: Any) -> Json:
        """Returns the JSON form of what the operation returns: an array with one element for each result."""
        values = value if len(self.results) > 1 else [value][: len(self.results)]
        return [kind.to(one) for kind, one in zip(self.results, values, strict=True)]

    def decode_result(self, given: Json) -> Any:
        """Returns what the operation returns. Raises InvalidError."""
        if not isinstance(given, list) or len(given) != len(self.results):
            raise refuse("result", f"an array of {len(self.results)} values", given)
        found = [
            kind.of(one, f"result[{i}]")
            for i, (kind, one) in enumerate(zip(self.results, given, strict=True))
        ]
        return tuple(found) if len(found) > 1 else found[0] if found else None


class RemoteEvent:
    """The class of an event, and its fields besides the domain."""

    __slots__ = ("kind", "fields")

    def __init__(self, kind: type[Event], fields: list[tuple[str, Kind[Any]]]) -> None:
        self.kind = kind
        self.fields = fields

    def encode(self, event: Event) -> Json:
        fields = {name: kind.to(getattr(event, name)) for name, kind in self.fields}
        return {"domid": event.domid, "uuid": str(event.uuid), **fields}

    def decode(self, given: Json) -> Event:
        """Returns the event. Raises InvalidError."""
        names = {"domid", "uuid", *(name for name, _ in self.fields)}
        if not isinstance(given, dict) or given.keys() != names:
            raise refuse("event", f"an object with {', '.join(sorted(names))}", given)
        values = [kind.of(given[name], f"event.{name}") for name, kind in self.fields]
        domid, uuid = NUMBER.of(given["domid"], "event.domid"), IDENTITY.of(given["uuid"], "event.uuid")
        return self.kind(domid, uuid, *values)
