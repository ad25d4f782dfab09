# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows the phases of operations while they run: live on a terminal, as plain lines elsewhere.

Both write to standard error.
"""

from __future__ import annotations

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
    return f"{event.operation}: {undoing}{event.phase}"


class Meter(Protocol):
    """Shows how far the operations of several domains are."""

    def begin(self, subject: str) -> Report:
        """Shows a domain. Returns what receives its events."""

    def end(self, subject: str, outcome: str) -> None:
        """Shows that a domain's operations have ended."""


class NoMeter:
    """Shows nothing."""

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
    """Shows a row for each domain, which changes in place. The rows remain at the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._rows: dict[str, Any] = {}
        self.shown = Progress(
            SpinnerColumn(finished_text="·"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            TimeElapsedColumn(),
            TextColumn("{task.fields[phase]}", markup=False),
            redirect_stdout=False,
            redirect_stderr=False,
            console=Console(stderr=True, highlight=False, no_color=not colourful(sys.stderr)),
        )

    def begin(self, subject: str) -> Report:
        row = self._rows[subject] = self.shown.add_task(printable(subject), total=None, phase="")

        def report(event: object) -> None:
            if isinstance(event, OperationProgress):
                part = event.done / event.total if event.total else 0
                done = f" {event.done}/{event.total} {event.unit}" if event.total else ""
                phase = printable(phase_text(event) + done)
                self.shown.update(row, completed=event.index + part, total=event.count, phase=phase)

        return report

    def end(self, subject: str, outcome: str) -> None:
        self.shown.update(self._rows[subject], completed=1, total=1, phase=printable(outcome))


@contextmanager
def meter(style: str, out: Output) -> Iterator[Meter]:
    """Yields the display for an option --progress. What is printed during a live display comes after it."""
    if style == "auto":
        live = sys.stderr.isatty() and os.environ.get("TERM") not in (None, "dumb")
        style = "live" if live else "plain"
    if style == "live":
        live_meter = LiveMeter()
        with out.held(), live_meter.shown:
            yield live_meter
    elif style == "plain":
        yield PlainMeter()
    else:
        yield NoMeter()


STYLES = ("auto", "live", "plain", "none")
