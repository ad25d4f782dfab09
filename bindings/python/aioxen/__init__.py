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

from typing import TYPE_CHECKING

from aioxen import types as _types
from aioxen._base import Counters as Counters
from aioxen._version import __version__ as __version__
from aioxen.context import Context as Context
from aioxen.domain import Domain as Domain
from aioxen.errors import *
from aioxen.errors import PermissionError as PermissionError
from aioxen.operation import Operation as Operation

if TYPE_CHECKING:
    from aioxen._queue import EventsLost as EventsLost
    from aioxen.config import disk as disk
    from aioxen.config import nic as nic
    from aioxen.config import pv as pv
    from aioxen.config import pvh as pvh
    from aioxen.config import shutdown_action as shutdown_action
    from aioxen.console import Console as Console
    from aioxen.domains import Domains as Domains
    from aioxen.domains import DomainState as DomainState
    from aioxen.domains import DomainStatus as DomainStatus
    from aioxen.domains import DomainView as DomainView
    from aioxen.events import Events as Events
    from aioxen.json import from_json as from_json
    from aioxen.json import to_json as to_json
    from aioxen.types import *
    from aioxen.xl import XlFileError as XlFileError
    from aioxen.xl import XlFileWarning as XlFileWarning
    from aioxen.xl import dump as dump
    from aioxen.xl import dumps as dumps
    from aioxen.xl import load as load
    from aioxen.xl import load_conf as load_conf
    from aioxen.xl import loads as loads
else:
    # Importing these names takes time, and not all programs need them. So each name is imported at its first
    # use.
    _LATE = {
        "_queue": ("EventsLost",),
        "config": ("disk", "nic", "pv", "pvh", "shutdown_action"),
        "console": ("Console",),
        "domains": ("Domains", "DomainState", "DomainStatus", "DomainView"),
        "events": ("Events",),
        "json": ("from_json", "to_json"),
        "xl": ("XlFileError", "XlFileWarning", "dump", "dumps", "load", "load_conf", "loads"),
        "types": tuple(name for name in _types.__all__ if name not in vars(_types)),
    }
    globals().update((name, value) for name, value in vars(_types).items() if name in _types.__all__)

    def __getattr__(name):
        for module, names in _LATE.items():
            if name in names or name == module:
                from importlib import import_module

                made = import_module(f"aioxen.{module}")
                value = globals()[name] = made if name == module else getattr(made, name)
                return value
        raise AttributeError(f"module 'aioxen' has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *globals()["__all__"]})


# __all__ excludes the modules, because `json` and `types` are also names of the standard library. It excludes
# PermissionError, the older name of NoPermissionError, because a builtin has this name. mypy reads only a
# literal __all__, so mypy uses the imports above.
_HIDDEN = ("PermissionError", "TYPE_CHECKING")
globals()["__all__"] = [
    n for n, value in vars().items() if n[0] != "_" and not hasattr(value, "__spec__") and n not in _HIDDEN
]
if not TYPE_CHECKING:
    globals()["__all__"] += [name for names in _LATE.values() for name in names]
