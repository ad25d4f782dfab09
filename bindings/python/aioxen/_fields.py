# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the package's dataclasses have in common, and its enumerations.

Dataclasses are written out, as dataclass() would make them: it compiles each class's methods whenever the
class is imported, and the modules that it needs take as long as the rest of this package.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import enum
    from dataclasses import Field


def words(member: enum.IntEnum) -> str:
    """A number of C's, for people."""
    return member.name.lower().removeprefix("_")


@functools.cache
def _described(kind: type[Fields]) -> Any:
    """What dataclass() makes of such a class, with types for annotations."""
    from dataclasses import MISSING, field, make_dataclass
    from inspect import signature
    from typing import get_type_hints

    hints = get_type_hints(kind)
    given = {p.name: p.default for p in signature(kind).parameters.values() if p.default is not p.empty}

    def described(name: str) -> Any:
        def new() -> Any:
            return getattr(kind(), name)

        default = given.get(name, MISSING)
        if default is MISSING or default is new():
            return field(default=default)
        return field(default_factory=new)

    return make_dataclass(kind.__name__, [(n, hints[n], described(n)) for n in kind.__match_args__])


class _Described:
    """Described when somebody asks: few programs do. A class that inherits is as what it inherits from."""

    def __set_name__(self, owner: type[Fields], name: str) -> None:
        self.name = name

    def __get__(self, value: Fields | None, kind: type[Fields]) -> Any:
        written = next(c for c in kind.__mro__ if "__match_args__" in vars(c))
        return getattr(_described(written), self.name)


class _Hinted:
    """What typing.get_type_hints() asks a class for first: what its annotations name is imported then."""

    def __get__(self, value: Fields | None, kind: type[Fields]) -> Any:
        from uuid import UUID

        for written in (c for c in kind.__mro__ if "__match_args__" in vars(c)):
            if module := sys.modules.get(written.__module__):
                vars(module).setdefault("UUID", UUID)
        raise AttributeError("__no_type_check__")


class Fields:
    """How a dataclass compares, and what it looks like."""

    __slots__ = ()

    __match_args__: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __dataclass_fields__ = _Described()
        __dataclass_params__ = _Described()
    __no_type_check__ = _Hinted()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__match_args__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({said})"
