# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit log. It has one line of JSON for each call, with the caller, the operation, the domain and the
outcome.

Inputs are not logged, because they may hold secrets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TextIO


class Audit:
    """Writes lines to a file, and passes them to listeners."""

    def __init__(self, host: str, file: TextIO | None = None) -> None:
        self.host = host
        self.file = file
        self.listeners: list[Callable[[bytes], None]] = []

    def write(self, caller: str, call: str, id: str | None, outcome: str, **more: Any) -> None:
        """Writes a line. `more` may have domid, uuid, message and seconds. A member that is None is not
        written."""
        record = {"time": round(time.time(), 3), "host": self.host, "caller": caller, "call": call, "id": id}
        record |= {"outcome": outcome, **{name: value for name, value in more.items() if value is not None}}
        text = json.dumps(record)
        if self.file is not None:
            self.file.write(f"{text}\n")
            self.file.flush()
        for listener in self.listeners:
            listener(text.encode())
