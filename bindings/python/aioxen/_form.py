# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Form, which holds the functions that convert one dataclass to and from JSON. Generated tables
consist of Forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from aioxen._values import CData, CType, Keep, ctype

T = TypeVar("T")


class Form(Generic[T]):
    """The C type of a dataclass, and the functions that convert the dataclass to C, to JSON, and back."""

    __slots__ = ("pointer", "put", "get", "to_json", "to_json_all", "from_json", "dispose")

    def __init__(
        self,
        pointer: str | CType,
        put: Callable[[CData, T, str, Keep], None],
        get: Callable[[CData], T],
        to_json: Callable[[CData, CData], CData],
        to_json_all: Callable[[CData, CData], CData],
        from_json: Callable[[CData, CData, bytes], int],
        dispose: Callable[[CData], None] | None,
    ) -> None:
        self.pointer = ctype(pointer)
        self.put = put
        self.get = get
        self.to_json = to_json
        self.to_json_all = to_json_all
        self.from_json = from_json
        self.dispose = dispose
