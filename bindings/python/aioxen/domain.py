# SPDX-License-Identifier: LGPL-2.1-or-later
"""The handle of one domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aioxen import _values as v
from aioxen._operations import ContextOperations, DomainOperations

if TYPE_CHECKING:
    from uuid import UUID


class Domain(DomainOperations):
    """One domain: its number, its identity, and the operations on it.

    It is a number wherever one is taken: `xen.domain_pause(dom)` and `dom.pause()` are the same. Two
    are equal if number and identity are. Holding one keeps nothing alive: numbers are used again, so a
    handle of a domain that is gone may meet a stranger; compare `uuid` with `(await dom.info()).uuid`.
    """

    __slots__ = ("domid", "_octets", "_xen")

    def __init__(self, xen: ContextOperations, domid: int, uuid: UUID | bytes) -> None:
        self._xen = xen
        self.domid = domid
        self._octets = uuid if isinstance(uuid, bytes) else uuid.bytes

    @property
    def uuid(self) -> UUID:
        """The domain's identity."""
        return v.uuid_of(self._octets)

    def __int__(self) -> int:
        return self.domid

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Domain):
            return NotImplemented
        return (self.domid, self._octets) == (other.domid, other._octets)

    def __hash__(self) -> int:
        return hash((self.domid, self._octets))

    def __repr__(self) -> str:
        return f"<Domain {self.domid} {self.uuid}>"
