# SPDX-License-Identifier: LGPL-2.1-or-later
"""The operations of many hosts, from one program.

async with fleet.connect("tls://broker.example.org") as f:
    dom = await f["host7"].domain_create(aioxen.pv("guest", "/boot/kernel", memory="64M"), timeout=30)
    await dom.unpause()
    print(await f.map("domain_list", "*"))

An agent (aioxen-agent) on each host carries the operations out. They behave as on an aioxen.Context. A
cancelled task stops the operation on the host, and waits until the operation has ended there. The host
measures the time limits. Progress is reported. NATS carries the messages; a fleet without a broker uses ssh.
"""

from aioxen.fleet.client import Fleet as Fleet
from aioxen.fleet.client import connect as connect
from aioxen.fleet.domain import Domain as Domain
from aioxen.fleet.errors import FleetError as FleetError
from aioxen.fleet.errors import HostNotFoundError as HostNotFoundError
from aioxen.fleet.errors import InterruptedError as InterruptedError
from aioxen.fleet.errors import NotAllowedError as NotAllowedError
from aioxen.fleet.errors import NotDoneError as NotDoneError
from aioxen.fleet.errors import OverloadedError as OverloadedError
from aioxen.fleet.errors import RefusedError as RefusedError
from aioxen.fleet.errors import UnknownOutcomeError as UnknownOutcomeError
from aioxen.fleet.events import FleetEvent as FleetEvent
from aioxen.fleet.events import FleetEvents as FleetEvents
from aioxen.fleet.host import Host as Host
from aioxen.fleet.hosts import HostState as HostState
from aioxen.fleet.operation import RemoteOperation as RemoteOperation
from aioxen.fleet.select import Outcome as Outcome

__all__ = [
    "Domain",
    "Fleet",
    "FleetError",
    "FleetEvent",
    "FleetEvents",
    "Host",
    "HostNotFoundError",
    "HostState",
    "InterruptedError",
    "NotAllowedError",
    "NotDoneError",
    "Outcome",
    "OverloadedError",
    "RefusedError",
    "RemoteOperation",
    "UnknownOutcomeError",
    "connect",
]
