# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Link, the interface of a client's transport, and the class Receiver, which gets the messages from
hosts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping

Put = Callable[[str, str | None, bytes], None]
"""A function that takes an event: the host that has sent it, its position in the broker's store, and the
message. The function does not wait."""


class Receiver(ABC):
    """Gets the messages from hosts. The methods do not wait.

    host: The host that has sent the message, according to the transport. The message may name another host,
    because a host may be hostile.
    """

    @abstractmethod
    def on_reply(self, host: str, message: bytes) -> None: ...

    @abstractmethod
    def on_beat(self, host: str, message: bytes) -> None: ...

    @abstractmethod
    def on_absent(self, host: str, id: str) -> None:
        """The message about the request was not delivered, because no agent takes messages for this host."""

    @abstractmethod
    def on_forbidden(self, host: str, call: str) -> None:
        """The broker has refused a message for this host."""

    @abstractmethod
    def on_connected(self) -> None:
        """The connection was restored. Messages may have been lost."""


class Events(ABC):
    """A subscription to the events of all hosts."""

    @abstractmethod
    async def caught_up(self) -> None:
        """Waits until each event that the hosts had sent before this call has been passed to the subscriber,
        or was lost. Raises OSError if the connection is lost meanwhile."""

    @abstractmethod
    async def aclose(self) -> None: ...


class Link(ABC):
    """A client's transport, which carries messages to and from hosts."""

    name: str
    """The caller's name, which requests must carry."""

    @abstractmethod
    async def open(self, receiver: Receiver) -> None:
        """Connects. Raises OSError if there is no answer, PermissionError if the client is refused."""

    @abstractmethod
    async def aclose(self) -> None: ...

    @abstractmethod
    def send(self, host: str, call: str, id: str, message: bytes, headers: Mapping[str, str]) -> None:
        """Sends a message about the request `id`. Does not wait. A message may be lost."""

    @abstractmethod
    async def present(self) -> Collection[str] | None:
        """Returns the names of the hosts from which a heartbeat must come within about a second. None: the
        transport does not know them."""

    @abstractmethod
    async def events(self, since: str | None, put: Put, audit: bool) -> Events:
        """Subscribes to events.

        since: None: only new events. "all": all events that are kept. Otherwise the events after this
        position.

        audit: Subscribes to the audit log instead.
        """
