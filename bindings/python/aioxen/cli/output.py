# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Output, which prints for a command. Results go to standard output, all other text to standard
error.

With --json, each result is one JSON object on a line of its own. A value of an IDL type has the IDL's JSON
form, docs/json.md.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any
from uuid import UUID

import click

import aioxen
from aioxen.cli import exits

Record = dict[str, Any]

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def record_of(value: object, all: bool = True) -> Record:
    """Returns the JSON object of a value of an IDL type. all: False: without fields with initial values."""
    found: Record = json.loads(aioxen.to_json(value, all=all))
    return found


def record_of_event(event: object) -> Record:
    """Returns the JSON object of an event. `event` is the name of its class."""
    fields = {name: _plain(getattr(event, name)) for name in type(event).__match_args__}  # type: ignore[attr-defined]
    return {"event": type(event).__name__, **fields}


def _plain(value: object) -> object:
    if isinstance(value, enum.Enum | UUID):
        return str(value)
    return sorted(value) if isinstance(value, set | frozenset) else value


def printable(text: str) -> str:
    """Returns a text for a terminal. Text from a guest may contain control characters; they are escaped."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def colourful(file: IO[str]) -> bool:
    """Returns whether a file is a terminal on which colours are wanted; see https://no-color.org."""
    return file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "dumb")


def text_of_row(form: str, row: Sequence[object]) -> str:
    """Returns a row of a table. A cell for a number may be a word, for example in the head."""
    if all(isinstance(cell, str) for cell in row):
        form = re.sub(r"%(-?\d*)(?:\.\d+)?[a-z]", r"%\1s", form)
    return printable(form % tuple(row))


class Output:
    """What a command prints, as text or as JSON."""

    def __init__(self, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self._held: list[tuple[str, bool]] | None = None
        self._shown = False

    def result(self, text: str, record: Record) -> None:
        """Prints what was done.

        The text is not printed with --quiet. It is also not printed if a live display on the terminal shows
        it.
        """
        if self.json:
            self.line(json.dumps(record))
        elif not self.quiet and not (self._shown and sys.stdout.isatty()):
            self.line(printable(text))

    def answer(self, text: str, record: Record) -> None:
        """Prints a result that the user has asked for, also with --quiet."""
        self.line(json.dumps(record) if self.json else printable(text))

    def line(self, text: str) -> None:
        """Prints a line to standard output, and flushes the output."""
        self._echo(text, err=False)

    def _echo(self, text: str, err: bool) -> None:
        if self._held is not None:
            self._held.append((text, err))
        else:
            click.echo(text.encode("utf-8", "surrogateescape"), err=err)

    @contextlib.contextmanager
    def held(self, shown: bool) -> Iterator[None]:
        """Keeps printed lines until the end of the block, because they would disturb a live display.

        shown: Whether the display shows the results.
        """
        self._held, self._shown = [], shown
        try:
            yield
        finally:
            held, self._held, self._shown = self._held or [], None, False
            for text, err in held:
                self._echo(text, err)

    def table(self, form: str, head: Sequence[str], rows: Iterable[tuple[Sequence[object], Record]]) -> None:
        """Prints a table, or one JSON object for each row. `form` is the %-format of a row. The head's
        columns have the widths of the format."""
        if not self.json:
            text = text_of_row(form, head)
            self.line(click.style(text, bold=True) if colourful(sys.stdout) else text)
        for row, record in rows:
            self.line(json.dumps(record) if self.json else text_of_row(form, row))

    def note(self, text: str) -> None:
        """Prints a line to standard error, unless --quiet is given."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Prints a line to standard error, also with --quiet."""
        self._echo(printable(text), err=True)

    def error(self, error: BaseException, subject: str | None = None, **record: object) -> None:
        """Prints an error to standard error. With --json, it is also a result."""
        about = "aioxen" if subject is None else subject
        text = printable(f"{about}: {exits.text_of(error)}")
        self._echo(click.style(text, fg="red") if colourful(sys.stderr) else text, err=True)
        if self.json:
            named = {} if subject is None else {"domain": subject}
            self.line(json.dumps({**named, **record, **exits.describe(error)}))
