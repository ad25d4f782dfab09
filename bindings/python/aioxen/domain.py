# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns Domain, the handle of one domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aioxen import _values as v
from aioxen._operations import ContextOperations, DomainOperations

if TYPE_CHECKING:
    from uuid import UUID


class Domain(DomainOperations):
    """One domain: its domid, its UUID, and the operations on it.

    It is accepted wherever a domid is: `xen.domain_pause(dom)` and `dom.pause()` are the same. Two handles
    are equal if domid and UUID are. A handle does not keep the domain alive. Xen reuses domids, so the handle
    of a domain that is gone may refer to a new domain: compare `uuid` with `(await dom.info()).uuid`.
    """

    __slots__ = ("domid", "_uuid_bytes", "_xen")

    def __init__(self, xen: ContextOperations, domid: int, uuid: UUID | bytes) -> None:
        self._xen = xen
        self.domid = domid
        self._uuid_bytes = uuid if isinstance(uuid, bytes) else uuid.bytes

    @property
    def uuid(self) -> UUID:
        """The domain's UUID."""
        return v.uuid_of(self._uuid_bytes)

    def __int__(self) -> int:
        return self.domid

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Domain):
            return NotImplemented
        return (self.domid, self._uuid_bytes) == (other.domid, other._uuid_bytes)

    def __hash__(self) -> int:
        return hash((self.domid, self._uuid_bytes))

    def __repr__(self) -> str:
        return f"<Domain {self.domid} {self.uuid}>"
