# SPDX-License-Identifier: LGPL-2.1-or-later
"""Imports the classes that run for every operation from the extension module _live or from the Python module
_pure.

_pure is used if the environment variable AIOXEN_PURE is 1 when aioxen is imported, and if _live cannot be
imported. Both modules behave alike. _live is faster.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aioxen._live import ContextCore as ContextCore
    from aioxen._live import FastMethod as FastMethod
    from aioxen._live import OperationFuture as OperationFuture
    from aioxen._live import OperationSpec as OperationSpec
    from aioxen._live import set_observer as set_observer
else:
    if os.environ.get("AIOXEN_PURE") == "1":
        import aioxen._pure as chosen
    else:
        try:
            import aioxen._live as chosen
        except ImportError:
            import aioxen._pure as chosen
    ContextCore = chosen.ContextCore
    FastMethod = chosen.FastMethod
    OperationFuture = chosen.OperationFuture
    OperationSpec = chosen.OperationSpec
    set_observer = chosen.set_observer
