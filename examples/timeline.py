# SPDX-License-Identifier: LGPL-2.1-or-later
"""The display of lifecycle.py: a table with a row for each guest, or plain lines if there is no terminal."""

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table


class Timeline:
    """Shows notes about each guest, and the time of each note."""

    def __init__(self, names: Iterable[str]) -> None:
        self.console = Console(highlight=False)
        self.start_time = time.monotonic()
        self.notes: dict[str, list[str]] = {name: [] for name in names}
        live = Live(console=self.console, get_renderable=self.table, refresh_per_second=10)
        self.live = live if self.console.is_terminal else None

    def __enter__(self) -> "Timeline":
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()
        else:
            self.console.print(self.table())

    def say(self, text: str) -> None:
        self.console.print(text)

    def note(self, name: str, text: str) -> None:
        self.notes[name].append(f"[dim]{time.monotonic() - self.start_time:.2f}[/] {text}")
        if self.live is None:
            self.console.print(f"{name:>10}  {self.notes[name][-1]}")

    def table(self) -> Table:
        table = Table("guest", "seconds and events", box=None, pad_edge=False)
        for name, lines in self.notes.items():
            table.add_row(name, " · ".join(lines))
        return table
