# SPDX-License-Identifier: LGPL-2.1-or-later
"""The base of all errors; aioxen.errors has a class for each."""

from __future__ import annotations


class Error(Exception):
    """An operation of the library has failed."""

    rc: int = 0
    """The library's number for it: ERROR_* in C."""

    message: str
    """What failed, in words, naming the field or the path."""

    operation: str | None
    """The operation that failed, if it was one."""

    domid: int | None
    """The domain that it was about, if it was about one."""

    def __init__(self, message: str = "", operation: str | None = None, domid: int | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.operation = operation
        self.domid = domid
        super().__init__(self.message)

    def __str__(self) -> str:
        if self.operation is None:
            return self.message
        about = "" if self.domid is None else f" of domain {self.domid}"
        return f"{self.operation}{about}: {self.message}"
