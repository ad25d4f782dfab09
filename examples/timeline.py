# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to several things at once: a table that grows, or lines where there is no terminal."""

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table


class Timeline:
    def __init__(self, names: Iterable[str]) -> None:
        self.console = Console(highlight=False)
        self.began = time.monotonic()
        self.story: dict[str, list[str]] = {name: [] for name in names}
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

    def say(self, what: str) -> None:
        self.console.print(what)

    def note(self, name: str, what: str) -> None:
        self.story[name].append(f"[dim]{time.monotonic() - self.began:.2f}[/] {what}")
        if self.live is None:
            self.console.print(f"{name:>10}  {self.story[name][-1]}")

    def table(self) -> Table:
        table = Table("guest", "seconds, and what happened", box=None, pad_edge=False)
        for name, lines in self.story.items():
            table.add_row(name, " · ".join(lines))
        return table
