# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Error, the base of the error classes in aioxen.errors."""

from __future__ import annotations


class Error(Exception):
    """An operation of the library failed."""

    rc: int = 0
    """The error code, which is ERROR_* in C."""

    message: str
    """A description of the failure, with the name of the field or the path."""

    operation: str | None
    """The name of the operation that failed. None: the error does not come from an operation."""

    domid: int | None
    """The domid that the operation was called with. None: the operation takes no domid."""

    def __init__(self, message: str = "", operation: str | None = None, domid: int | None = None) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.operation = operation
        self.domid = domid
        super().__init__(self.message)

    def __repr__(self) -> str:
        """Shows the message, and the operation and the domid if the error has them."""
        given = [f"{n}={getattr(self, n)!r}" for n in ("operation", "domid") if getattr(self, n) is not None]
        return f"{type(self).__name__}({', '.join([repr(self.message), *given])})"

    def __str__(self) -> str:
        if self.operation is None or self.operation in self.message:
            return self.message
        about = "" if self.domid is None else f" of domain {self.domid}"
        return f"{self.operation}{about}: {self.message}"
