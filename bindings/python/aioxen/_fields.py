# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the package's dataclasses have in common."""

from __future__ import annotations

from typing import ClassVar


class Fields:
    """How a dataclass compares, and what it looks like.

    dataclass() would compile both anew for each class, which takes half of the time that importing them does.
    """

    __slots__ = ()

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__match_args__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({said})"
