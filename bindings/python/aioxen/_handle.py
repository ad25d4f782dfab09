# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Handle, the part that the handles of domains in aioxen and in aioxen.sync have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aioxen import _values as v
from aioxen._spec import DomainBase

if TYPE_CHECKING:
    from uuid import UUID


class Handle(DomainBase):
    """The domid and the UUID of one domain. Two handles are equal if they have the same domid and the same
    UUID."""

    __slots__ = ("domid", "_uuid_bytes")

    def __init__(self, domid: int, uuid: UUID | bytes) -> None:
        self.domid: int = domid
        self._uuid_bytes = uuid if isinstance(uuid, bytes) else uuid.bytes

    @property
    def uuid(self) -> UUID:
        """The domain's UUID. All octets are 0 if it is unknown."""
        return v.uuid_of(self._uuid_bytes or bytes(16))

    def __int__(self) -> int:
        return self.domid

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Handle):
            return NotImplemented
        return (self.domid, self._uuid_bytes) == (other.domid, other._uuid_bytes)

    def __hash__(self) -> int:
        return hash((self.domid, self._uuid_bytes))

    def __repr__(self) -> str:
        return f"<Domain {self.domid} {self.uuid}>"
