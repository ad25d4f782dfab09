# SPDX-License-Identifier: LGPL-2.1-or-later
"""The output of Xen's console. dom0's kernel also writes to this console."""

from collections import deque
from dataclasses import dataclass, field
from typing import IO

LINES = 40


@dataclass
class Console:
    """Keeps the last lines of the console for error messages. Also writes all output to `file`, unless it is
    None."""

    file: IO[bytes] | None = None
    _tail: deque[bytes] = field(default_factory=lambda: deque([b""], maxlen=LINES))

    def add(self, data: bytes) -> None:
        if self.file is not None:
            self.file.write(data)
            self.file.flush()
        first, *rest = data.replace(b"\r", b"").split(b"\n")
        self._tail[-1] += first
        self._tail.extend(rest)

    def text(self) -> str:
        return "\n".join(line.decode(errors="replace") for line in self._tail).strip() or "(nothing)"
