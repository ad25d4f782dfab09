# SPDX-License-Identifier: LGPL-2.1-or-later
"""The subjects on which the fleet's messages travel through NATS, and the names of its streams.

xen.HOST.CALL               requests, and _cancel and _outcome
xen.re.HOST.CALLER.SESSION.ID    replies
xen.hello                   asks all agents for a heartbeat
xen.hb.HOST                 heartbeats; the stream HOSTS keeps the last one of each host for a short time
xen.look                    asks all agents to send their state for a short time
xen.st.HOST                 the state of a host: its domains, and the calls in progress
xen.ev.HOST.KIND            events; the stream EVENTS keeps them
xen.au.HOST                 the audit log; the stream AUDIT keeps it
"""

from __future__ import annotations

HELLO = "xen.hello"
LOOK = "xen.look"
ALL_STATES = "xen.st.*"
BEATS = "xen.hb.*"
EVENTS = "AIOXEN_EVENTS"
AUDIT = "AIOXEN_AUDIT"
HOSTS = "AIOXEN_HOSTS"
ALL_EVENTS = "xen.ev.>"
ALL_AUDIT = "xen.au.>"
RESERVED = ("re", "hello", "look", "st", "hb", "ev", "au")
"""Names that no host can have."""


def requests(host: str, call: str) -> str:
    return f"xen.{host}.{call}"


def replies(host: str, caller: str, session: str, id: str) -> str:
    return f"xen.re.{host}.{caller}.{session}.{id}"


def inbox(name: str) -> str:
    """Returns the prefix of the subjects on which the broker's own services answer."""
    return f"_INBOX.{name}"
