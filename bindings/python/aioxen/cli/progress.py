# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows the phases of operations while they run. On a terminal it updates a display in place. Otherwise it
prints lines.

Both write to standard error.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from aioxen.cli.output import Output, colourful, printable
from aioxen.types import OperationProgress, OperationState

Report = Callable[[Any], None]
"""Receives the progress events of a domain's operations."""


def phase_text(event: OperationProgress) -> str:
    """Returns the text of a phase: its name, and whether it is being undone."""
    undoing = "undoes " if event.state is OperationState.UNDOING else ""
    return f"{event.operation}: {undoing}{event.phase}{copying_text(event)}"


def copying_text(event: OperationProgress) -> str:
    """Returns the text of the round in which a guest's memory is copied. It is empty in the first round."""
    if not event.rate:
        return ""
    rate = event.rate / (1 << 20)
    words = f", round {event.round}: {event.dirty} pages dirty, {rate:.0f} MiB/s"
    return f"{words}, downtime {event.downtime_ms} ms"


class Meter(Protocol):
    """Shows how far the operations of several domains are."""

    def begin(self, subject: str) -> Report:
        """Shows a domain. Returns the function that receives the domain's progress events."""

    def end(self, subject: str, outcome: str) -> None:
        """Shows that a domain's operations have ended."""


class NoMeter:
    """The style "none": shows nothing."""

    def begin(self, subject: str) -> Report:
        return lambda event: None

    def end(self, subject: str, outcome: str) -> None:
        pass


class PlainMeter:
    """Prints a line when a phase begins, with the time since the start in seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def begin(self, subject: str) -> Report:
        last = ""

        def report(event: object) -> None:
            nonlocal last
            if isinstance(event, OperationProgress) and last != (now := phase_text(event)):
                last = now
                elapsed = time.monotonic() - self._began
                click.echo(printable(f"{elapsed:7.3f} {subject}: {now}"), err=True)

        return report

    def end(self, subject: str, outcome: str) -> None:
        pass


class LiveMeter:
    """Shows a row for each domain, and updates the row in place. The rows stay on the screen at the end.

    If the terminal has too few lines for all domains, the first row shows how many domains are done. The
    rows below it show domains whose operations run, as many as fit. In this case all rows are removed at the
    end.
    """

    def __init__(self, count: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(stderr=True, highlight=False, no_color=not colourful(sys.stderr))
        self.complete: bool = count < console.height
        """Whether each domain has a row, so that the rows can stay at the end."""
        self._room = count if self.complete else console.height - 2
        self._rows: dict[str, Any] = {}
        self._hidden: list[Any] = []
        self.shown: Progress = Progress(
            SpinnerColumn(finished_text="·"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            TimeElapsedColumn(),
            TextColumn("{task.fields[phase]}", markup=False),
            console=console,
            transient=not self.complete,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        if not self.complete:
            self._sum = self.shown.add_task(f"{count} domains", total=count, phase="")

    def begin(self, subject: str) -> Report:
        visible = len(self._rows) < self._room
        row = self.shown.add_task(printable(subject), total=None, phase="", visible=visible)
        self._rows[subject] = row
        if not visible:
            self._hidden.append(row)

        def report(event: object) -> None:
            if isinstance(event, OperationProgress):
                part = event.done / event.total if event.total else 0
                done = f" {event.done}/{event.total} {event.unit}" if event.total else ""
                phase = printable(phase_text(event) + done)
                self.shown.update(row, completed=event.index + part, total=event.count, phase=phase)

        return report

    def end(self, subject: str, outcome: str) -> None:
        row = self._rows[subject]
        if self.complete:
            self.shown.update(row, completed=1, total=1, phase=printable(outcome))
            return
        self.shown.advance(self._sum)
        if row in self._hidden:
            self._hidden.remove(row)
        elif self._hidden:
            self.shown.update(self._hidden.pop(0), visible=True)
        self.shown.remove_task(row)


@contextmanager
def meter(style: str, out: Output, count: int) -> Iterator[Meter]:
    """Yields the display for an option --progress. Lines that are printed during a live display appear after
    it.

    count: The number of domains.
    """
    if style == "auto":
        # Messages of the library would disturb a live display.
        quiet = logging.getLogger("aioxen").level == logging.NOTSET
        live = quiet and sys.stderr.isatty() and os.environ.get("TERM") not in (None, "dumb")
        style = "live" if live else "plain"
    if style == "live":
        live_meter = LiveMeter(count)
        with out.held(shown=live_meter.complete), live_meter.shown:
            yield live_meter
    elif style == "plain":
        yield PlainMeter()
    else:
        yield NoMeter()


STYLES = ("auto", "live", "plain", "none")
