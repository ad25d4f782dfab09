# SPDX-License-Identifier: LGPL-2.1-or-later
"""The addresses of fleets.

tls://BROKER[:PORT]             a broker, with certificates
nats://127.0.0.1[:PORT]         a broker on this machine, for tests
unix:///PATH/NAME.sock          the sockets of agents, for tests; several paths are separated by commas
ssh://[USER@]HOST[:PORT][,...]  agents on standard input, by ssh(1)
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

SCHEMES = ("tls", "nats", "unix", "ssh")


class Url(NamedTuple):
    """The address of a broker, or of agents."""

    scheme: str
    host: str
    """The part between // and the next /."""
    path: str

    @classmethod
    def read(cls, text: str) -> Url:
        """Reads an address. Raises ValueError."""
        parts = urlsplit(text)
        if parts.scheme not in SCHEMES:
            raise ValueError(f"{text!r}: an address begins with {'://, '.join(SCHEMES)}://")
        if not (parts.path if parts.scheme == "unix" else parts.netloc):
            raise ValueError(f"{text!r}: the address names nothing")
        return cls(parts.scheme, parts.netloc, parts.path)

    @property
    def broker(self) -> str:
        """The address in the form of the NATS client."""
        return f"{self.scheme}://{self.host}"

    def require_encryption(self, identity: bool) -> None:
        """Raises ValueError if the broker is on another machine and there are no certificates."""
        if self.scheme == "tls" and not identity:
            raise ValueError(f"{self.broker}: certificates are needed (--identity)")
        if self.scheme == "nats" and not is_loopback(urlsplit(self.broker).hostname or ""):
            raise ValueError(f"{self.broker}: nats:// is for this machine only; use tls://")


def is_loopback(host: str) -> bool:
    """Returns whether a name or an IP address is the loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
