# SPDX-License-Identifier: LGPL-2.1-or-later
"""The conversion of single values to and from C, which the generated conversions call.

Text is converted as UTF-8 with surrogateescape. Paths and names in xenstore are bytes to Linux and Xen, so
text that is not valid UTF-8 must also survive the conversion in both directions.
"""

from __future__ import annotations

import enum
import functools
import struct
from collections.abc import Callable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from aioxen._native import ffi, lib

if TYPE_CHECKING:
    from uuid import UUID

Enumeration: TypeAlias = type[enum.IntEnum] | type[enum.IntFlag]

CData: TypeAlias = Any
"""The type of C data. cffi uses one class for all C types."""

Keep: TypeAlias = list[CData]
"""The type of a list of objects that must live as long as the C data that points to them."""

E = TypeVar("E", bound=enum.IntEnum)
T = TypeVar("T")
F = TypeVar("F", bound=enum.IntFlag)

MOST_BITS = 1 << 20
"""The greatest number of bits in a set. A set with more bits is refused."""

addressof = ffi.addressof

CType: TypeAlias = Any
"""The class of the objects that stand for C types. ffi.typeof() returns them."""


def ctype(name: str | CType) -> CType:
    """Returns the C type with this name. If the argument is a C type already, returns the argument."""
    return ffi.typeof(name) if isinstance(name, str) else name


# From C


class Members(dict[int, E]):
    """The members of an enumeration by value. For any other value, the lookup returns `unknown`."""

    def __init__(self, kind: type[E], unknown: E | None = None) -> None:
        super().__init__((member.value, member) for member in kind)
        self.unknown = unknown

    def __missing__(self, value: int) -> E:
        if self.unknown is None:
            raise KeyError(value)
        return self.unknown


class LateMembers(Members[E]):
    """The members of an enumeration whose class is made late. The first lookup fills the table."""

    def __init__(self, make: Callable[[], Members[E]]) -> None:
        dict.__init__(self)
        self.make = make

    def __missing__(self, value: int) -> E:
        made = self.make()
        self.update(made)
        return made[value]


class FlagSets(dict[int, F]):
    """The sets of flags by value. A set keeps bits that this release does not know."""

    def __init__(self, kind: Callable[[int], F]) -> None:
        super().__init__()
        self.kind = kind

    def __missing__(self, value: int) -> F:
        made = self[value] = self.kind(value)
        return made


class Flat:
    """A C struct that contains only numbers, with the struct's format for Python's module `struct`."""

    __slots__ = ("ctype", "code", "size", "format")

    size: int
    format: struct.Struct

    def __init__(self, ctype: str, code: str) -> None:
        self.ctype = ctype
        self.code = code

    def __getattr__(self, name: str) -> Any:
        """Computes `size` and `format` at their first use, because most programs use few structs."""
        if name not in ("size", "format"):
            raise AttributeError(name)
        self.size = ffi.sizeof(self.ctype)
        padding = self.size - struct.calcsize(self.code)
        self.format = struct.Struct(f"{self.code}{padding}x")
        return getattr(self, name)

    def unpack(self, c: CData, n: int) -> Iterator[tuple[Any, ...]]:
        """Returns the fields of each of the `n` structs at `c`."""
        return self.format.iter_unpack(ffi.buffer(c, n * self.size)) if n else iter(())


@functools.cache
def _uuid() -> tuple[Any, ...]:
    """Returns the parts of the module uuid that uuid_of() uses. The module is imported at the first use,
    because the import takes milliseconds."""
    from uuid import UUID, SafeUUID

    return UUID, UUID.__dict__["int"].__set__, UUID.__dict__["is_safe"].__set__, SafeUUID.unknown


def uuid_of(octets: bytes | CData) -> UUID:
    """Returns the same as UUID(bytes=octets), in half the time. Reading a list of many domains spends most
    of its time in this function."""
    kind, set_int, set_is_safe, unknown = _uuid()
    made: UUID = kind.__new__(kind)
    set_int(made, int.from_bytes(octets, "big"))
    set_is_safe(made, unknown)
    return made


def optional_uuid_of(octets: bytes | CData) -> UUID | None:
    return uuid_of(octets) if any(octets) else None


def get_string(c: CData) -> str:
    """Returns the text of a C string, or "" for NULL."""
    return ffi.string(c).decode("utf-8", "surrogateescape") if c else ""


def get_optional_string(c: CData) -> str | None:
    return get_string(c) if c else None


def take_string(c: CData) -> str:
    return get_string(c[0])


def take_json(c: CData) -> Any:
    """Returns the value of a JSON document whose text is a result."""
    import json  # at its first use, because most programs do not need it

    return json.loads(get_string(c[0]))


def free_string(c: CData) -> None:
    """Frees a string that is the result of an operation."""
    lib.free(c[0])


def count(array: CData, length: int) -> int:
    """Returns the number of an array's elements. An array that is NULL has no elements, whatever its
    length says."""
    return length if array and length > 0 else 0


def take_uuid(c: CData) -> UUID:
    return uuid_of(c.uuid)


def take_number(c: CData) -> int:
    number: int = c[0]
    return number


def take_float(c: CData) -> float:
    number: float = c[0]
    return number


# From C: types written by hand. Each function gets the value's address.


def get_bits(c: CData) -> set[int]:
    """Returns the bits that are set in a struct with `size`, in octets, and `map`."""
    octets = ffi.buffer(c.map, c.size)[:] if c.size else b""
    return {8 * i + bit for i, octet in enumerate(octets) for bit in range(8) if octet >> bit & 1}


def get_strings(c: CData) -> list[str]:
    """Returns the strings of an array that ends with NULL. If the array is NULL, the list is empty."""
    found: list[str] = []
    while c[0] and c[0][len(found)]:
        found.append(get_string(c[0][len(found)]))
    return found


def get_pairs(c: CData) -> dict[str, str | None]:
    """Returns the pairs of an array of strings that ends with NULL. Each key is followed by its value,
    which may be NULL."""
    found: dict[str, str | None] = {}
    at = c[0]
    while at and at[0]:
        found[get_string(at[0])] = get_optional_string(at[1])
        at += 2
    return found


def get_octets(c: CData) -> bytes:
    return bytes(ffi.buffer(c))


def get_blob(c: CData) -> bytes:
    return bytes(ffi.buffer(c.data, c.size)) if c.size else b""


def get_defbool(c: CData) -> bool | None:
    return None if c.val == 0 else c.val > 0


# To C


def expect(value: object, kind: type, path: str) -> None:
    if not isinstance(value, kind):
        what = "None" if kind is type(None) else f"{kind.__name__}"
        raise TypeError(f"{path}: {what} is expected, not {value!r}")


def expected(value: object, kind: type[T], path: str) -> T:
    """Returns the value. Raises TypeError if the value is not of this type."""
    expect(value, kind, path)
    return value  # type: ignore[return-value]


def refuse_bool(value: object, path: str) -> None:
    """Raises TypeError for a bool, which cffi would accept as 0 or 1."""
    if isinstance(value, bool):
        raise TypeError(f"{path}: a number is expected, not {value}")


def domid(value: Any) -> int:
    """Returns the domid of a Domain or an int. Accepts and refuses the same values as operations do."""
    refuse_bool(value, "domid")
    try:
        found = int(ffi.new("uint32_t *", value)[0])
    except (TypeError, OverflowError) as error:
        raise type(error)(f"domid: {error}") from None
    if found == lib.LIBXL_DOMID_ALL:
        raise ValueError(f"domid: {found} is not the number of a domain")
    return found


def fits(value: Any, kind: CType) -> bool:
    """Returns whether cffi accepts the value for a number of this type. For other types the result is True,
    because their values have been checked before."""
    try:
        return kind.kind != "primitive" or bool(ffi.new(f"{kind.cname} *", value))
    except (TypeError, OverflowError):
        return False


def number(value: int, name: str) -> int:
    """Returns a number that is an input. Raises TypeError for a bool. cffi checks the type and the
    range later."""
    refuse_bool(value, name)
    return value


def put_form(
    c: CData, name: str, value: Any, path: str, keep: Keep, put_at: Callable[[CData, Any, str, Keep], None]
) -> None:
    """Stores a value of a type that is written by hand."""
    put_at(addressof(c, name), value, f"{path}.{name}", keep)


def bits_at(c: CData, value: Set[int], path: str, keep: Keep) -> None:
    expect(value, Set, path)
    for bit in value:
        refuse_bool(bit, path)
        expect(bit, int, path)
        if not 0 <= bit < MOST_BITS:
            raise ValueError(f"{path}: {bit} is not between 0 and {MOST_BITS - 1}")
    if not value:
        c.size, c.map = 0, ffi.NULL
        return
    octets = bytearray(max(value) // 8 + 1)
    for bit in value:
        octets[bit // 8] |= 1 << bit % 8
    keep.append(ffi.new("unsigned char[]", bytes(octets)))
    c.size, c.map = len(octets), ffi.cast(ffi.typeof(c.map), keep[-1])


def strings_at(c: CData, value: list[str], path: str, keep: Keep) -> None:
    expect(value, list, path)
    texts = [ffi.new("char[]", string(text, f"{path}[{i}]")) for i, text in enumerate(value)]
    keep += [texts, ffi.new("char *[]", [*texts, ffi.NULL])]
    c[0] = keep[-1] if value else ffi.NULL


def pairs_at(c: CData, value: dict[str, str | None], path: str, keep: Keep) -> None:
    expect(value, dict, path)
    texts = []
    for key, text in value.items():
        texts.append(ffi.new("char[]", string(key, f"{path}: a key")))
        texts.append(ffi.NULL if text is None else ffi.new("char[]", string(text, f"{path}[{key!r}]")))
    keep += [texts, ffi.new("char *[]", [*texts, ffi.NULL])]
    c[0] = keep[-1] if value else ffi.NULL


def octets_at(c: CData, value: bytes, path: str, keep: Keep) -> None:
    """Stores octets. If there are too few octets, the remaining part of the C value is zero."""
    expect(value, bytes, path)
    room = ffi.buffer(c)
    if len(value) > len(room):
        raise ValueError(f"{path}: {len(value)} octets are more than {len(room)}")
    room[:] = value.ljust(len(room), b"\0")


def blob_at(c: CData, value: bytes, path: str, keep: Keep) -> None:
    expect(value, bytes, path)
    keep.append(ffi.new("unsigned char[]", value or 1))
    c.size, c.data = len(value), ffi.cast(ffi.typeof(c.data), keep[-1])


def defbool_at(c: CData, value: bool | None, path: str, keep: Keep) -> None:
    if value is None:
        c.val = 0
    else:
        expect(value, bool, path)
        c.val = 1 if value else -1


def put_bool(c: CData, name: str, value: bool, path: str) -> None:
    expect(value, bool, f"{path}.{name}")
    setattr(c, name, value)


def put(c: CData, name: str, value: int, path: str) -> None:
    """Stores a number. cffi checks the range."""
    if isinstance(value, bool):
        refuse_bool(value, f"{path}.{name}")
    try:
        setattr(c, name, value)
    except (TypeError, OverflowError) as error:
        raise type(error)(f"{path}.{name}: {value!r}: {error}") from None


def string(value: str, path: str) -> bytes:
    expect(value, str, path)
    if "\0" in value:
        raise ValueError(f"{path}: a NUL character in {value!r}")
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"{path}: {value!r}: {error.reason}") from None


def json_text(value: Mapping[str, Any], path: str) -> bytes:
    """Returns the text of a JSON object."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{path}: a mapping is expected, not {type(value).__name__}")
    import json

    try:
        return string(json.dumps(dict(value), allow_nan=False), path)
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(f"{path}: {error}") from None


def put_string(c: CData, name: str, value: str | None, path: str, keep: Keep) -> None:
    if value is not None:
        keep.append(ffi.new("char[]", string(value, f"{path}.{name}")))
        setattr(c, name, keep[-1])


def uuid(value: UUID, path: str) -> list[bytes]:
    """Returns the initializer of a libxl_uuid."""
    expect(value, _uuid()[0], path)
    return [value.bytes]


def put_uuid(c: CData, name: str, value: UUID | None, path: str) -> None:
    if value is not None:
        setattr(c, name, uuid(value, f"{path}.{name}"))


def put_enumeration(c: CData, name: str, value: int, path: str, kind: Enumeration) -> None:
    setattr(c, name, enumeration(value, f"{path}.{name}", kind))


def enumeration(value: int, path: str, kind: Enumeration) -> int:
    refuse_bool(value, path)
    try:
        return int(kind(value).value)
    except ValueError:
        words = ", ".join(member.name for member in kind)
        raise ValueError(f"{path}: {kind.__name__} is one of {words}, not {value!r}") from None


def put_array(
    c: CData,
    name: str,
    values: list[Any],
    path: str,
    keep: Keep,
    length: str,
    ctype: str,
    put_at: Callable[[CData, Any, str, Keep], None],
) -> None:
    """Stores a list as an array and its length. `put_at` stores one element."""
    if not isinstance(values, list):
        expect(values, list, f"{path}.{name}")
    array = ffi.new(ctype, len(values)) if values else ffi.NULL
    keep.append(array)
    for i, value in enumerate(values):
        put_at(array + i, value, f"{path}.{name}[{i}]", keep)
    setattr(c, name, array)
    setattr(c, length, len(values))


def bool_at(c: CData, value: bool, path: str, keep: Keep) -> None:
    expect(value, bool, path)
    c[0] = value


def at(c: CData, value: int, path: str, keep: Keep) -> None:
    refuse_bool(value, path)
    try:
        c[0] = value
    except (TypeError, OverflowError) as error:
        raise type(error)(f"{path}: {value!r}: {error}") from None


def string_at(c: CData, value: str, path: str, keep: Keep) -> None:
    keep.append(ffi.new("char[]", string(value, path)))
    c[0] = keep[-1]


def uuid_at(c: CData, value: UUID, path: str, keep: Keep) -> None:
    c[0] = uuid(value, path)


def enumeration_at(kind: Enumeration) -> Callable[[CData, int, str, Keep], None]:
    def put(c: CData, value: int, path: str, keep: Keep) -> None:
        c[0] = enumeration(value, path, kind)

    return put


def valid_text(text: str) -> str:
    """Returns the text with U+FFFD in place of octets that are not UTF-8. A name in xenstore may contain any
    octets."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
