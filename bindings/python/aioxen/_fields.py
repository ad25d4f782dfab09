# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Fields, the base of the package's dataclasses, and the text form of its enumerations.

The generator writes each dataclass out in full. The decorator dataclass() is not used, because it would
compile the methods of every class at each import. The import of the module dataclasses alone would also
double the time of importing this package.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import enum
    from dataclasses import Field


def words(member: enum.IntEnum) -> str:
    """Returns the text of a member: its name in lower case."""
    return member.name.lower().removeprefix("_")


def flag_words(flags: enum.IntFlag) -> str:
    """Returns the text of a set of flags: their names in lower case, joined by "|"."""
    return "|".join(words(flag) for flag in type(flags) if flag in flags)  # type: ignore[arg-type]


def _names(fields: Any) -> tuple[str, ...]:
    """Returns the names of the fields of a dataclass, or of its object."""
    names: tuple[str, ...] = fields.__match_args__
    return names


@functools.cache
def _as_dataclass(kind: type[Fields]) -> Any:
    """Returns a dataclass with the same fields, made by the module dataclasses. The annotations of the
    result are types, not strings."""
    from dataclasses import MISSING, field, make_dataclass
    from inspect import signature
    from typing import get_type_hints

    hints = get_type_hints(kind)
    given = {p.name: p.default for p in signature(kind).parameters.values() if p.default is not p.empty}

    def as_field(name: str) -> Any:
        def new() -> Any:
            return getattr(kind(), name)

        default = given.get(name, MISSING)
        if default is MISSING or default is new():
            return field(default=default)
        return field(default_factory=new)

    return make_dataclass(kind.__name__, [(n, hints[n], as_field(n)) for n in _names(kind)])


class _DataclassAttribute:
    """A descriptor for an attribute that each dataclass has, such as __dataclass_fields__. Few programs use
    such an attribute, so the descriptor computes its value at the first use.

    A subclass without fields of its own has the attributes of its base.
    """

    def __set_name__(self, owner: type[Fields], name: str) -> None:
        self.name = name

    def __get__(self, value: Fields | None, kind: type[Fields]) -> Any:
        written = next(c for c in kind.__mro__ if "__match_args__" in vars(c))
        return getattr(_as_dataclass(written), self.name)


class _TypeHints:
    """A descriptor that imports UUID into the module of a class, whose annotations name UUID. It is the
    attribute __no_type_check__, which typing.get_type_hints() reads before any other, so UUID is imported in
    time."""

    def __get__(self, value: Fields | None, kind: type[Fields]) -> Any:
        from uuid import UUID

        for written in (c for c in kind.__mro__ if "__match_args__" in vars(c)):
            if module := sys.modules.get(written.__module__):
                vars(module).setdefault("UUID", UUID)
        raise AttributeError("__no_type_check__")


class Fields:
    """The base of the dataclasses. It has the comparison by fields, and repr()."""

    __slots__ = ()

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __match_args__ = ()
        __dataclass_fields__ = _DataclassAttribute()
        __dataclass_params__ = _DataclassAttribute()
        __no_type_check__ = _TypeHints()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _names(self))

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Returns a text with the fields that differ from their defaults. If the fields have no defaults, the
        text has all fields."""
        written = next((c for c in type(self).__mro__ if "__match_args__" in vars(c)), Fields)
        try:
            initial = written()
        except TypeError:  # TypeError means that the fields have no defaults.
            initial = None
        given = [n for n in _names(self) if not initial or getattr(self, n) != getattr(initial, n)]
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in given)
        return f"{type(self).__qualname__}({fields})"
