# SPDX-License-Identifier: LGPL-2.1-or-later
"""Controlling Xen domains, asynchronously.

async with aioxen.Context() as xen:
    dom = await xen.domain_create(aioxen.pv("guest", "/boot/kernel", memory="64M"))
    await dom.unpause()
    print(await dom.wait_shutdown())
    await dom.destroy()
"""

from aioxen import errors, types
from aioxen._base import Counters
from aioxen._queue import EventsLost
from aioxen.config import pv, pvh
from aioxen.context import Context
from aioxen.domain import Domain
from aioxen.errors import *
from aioxen.events import Events
from aioxen.operation import Operation
from aioxen.types import *

__all__ = ["Context", "Counters", "Domain", "Events", "EventsLost", "Operation", "pv", "pvh"]
__all__ += errors.__all__
__all__ += types.__all__
