# SPDX-License-Identifier: LGPL-2.1-or-later
"""Controls Xen domains asynchronously.

async with aioxen.Context() as xen:
    dom = await xen.domain_create(aioxen.pv("guest", "/boot/kernel", memory="64M"))
    await dom.unpause()
    print(await dom.wait_shutdown())
    await dom.destroy()
"""

try:
    import aioxen._native as _native  # noqa: F401
except ModuleNotFoundError as _missing:
    raise ImportError(f"aioxen was not built for this Python: {_missing}") from _missing

from aioxen._base import Counters as Counters
from aioxen._queue import EventsLost as EventsLost
from aioxen._version import __version__ as __version__
from aioxen.config import disk as disk
from aioxen.config import nic as nic
from aioxen.config import pv as pv
from aioxen.config import pvh as pvh
from aioxen.config import shutdown_action as shutdown_action
from aioxen.console import Console as Console
from aioxen.context import Context as Context
from aioxen.domain import Domain as Domain
from aioxen.domains import Domains as Domains
from aioxen.domains import DomainState as DomainState
from aioxen.domains import DomainStatus as DomainStatus
from aioxen.domains import DomainView as DomainView
from aioxen.errors import *
from aioxen.errors import PermissionError as PermissionError
from aioxen.events import Events as Events
from aioxen.json import from_json as from_json
from aioxen.json import to_json as to_json
from aioxen.operation import Operation as Operation
from aioxen.types import *
from aioxen.xl import XlFileError as XlFileError
from aioxen.xl import XlFileWarning as XlFileWarning
from aioxen.xl import dump as dump
from aioxen.xl import dumps as dumps
from aioxen.xl import load as load
from aioxen.xl import load_conf as load_conf
from aioxen.xl import loads as loads

# __all__ excludes the modules, because `json` and `types` are also names of the standard library. It excludes
# PermissionError, the older name of NoPermissionError, because a builtin has this name. mypy reads only a
# literal __all__, so mypy uses the imports above.
globals()["__all__"] = [
    n
    for n, value in vars().items()
    if n[0] != "_" and not hasattr(value, "__spec__") and n != "PermissionError"
]
