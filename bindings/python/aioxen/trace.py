# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program and draws when its operations ran.

aioxen trace -o guests ./guests.py 20

runs guests.py with the argument 20. When it ends, guests.json has the trace in Chrome's format, for
https://ui.perfetto.dev and chrome://tracing, and guests.html shows a timeline in any browser, without a
network. A program can also record a part of itself:

with aioxen.trace.recorded() as recorder:
    await xen.domain_create(config)
Path("creation.html").write_text(recorder.html())
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from aioxen import hooks

__all__ = ["Recorder", "recorded", "run"]

MOST = 100_000
"""The number of operations that a Recorder keeps. Later operations are only counted."""

HOST = "host"


class Recorder(hooks.Hook):
    """Keeps all operations of all contexts."""

    def __init__(self, most: int = MOST) -> None:
        self.started_ns: int = time.monotonic_ns()
        self.ended_ns: int | None = None
        """When the recording ended, or None."""
        self.operations: list[hooks.ObservedOperation] = []
        self.left_out: int = 0
        """The number of operations that were not kept."""
        self._most = most

    def start(self, op: hooks.ObservedOperation) -> None:
        if len(self.operations) < self._most:
            self.operations.append(op)
        else:
            self.left_out += 1

    def _rows(self) -> list[tuple[str, list[list[hooks.ObservedOperation]]]]:
        """Returns the operations of each domain, in lanes. Operations of a lane do not overlap."""
        rows: dict[tuple[int, str], list[hooks.ObservedOperation]] = {}
        names: dict[tuple[int, str], str] = {}
        uuids: dict[int, str] = {}  # The last known UUID of each domid, for operations without a UUID.
        for op in self.operations:
            name = next((i["name"] for i in op.inputs.values() if isinstance(i, dict) and "name" in i), HOST)
            if op.domid is None:  # An operation on the host, or a creation that made no domain.
                key = (-1, "") if name == HOST else (1 << 32, name)
                names[key] = name
            else:
                if op.uuid is not None:
                    uuids[op.domid] = str(op.uuid)
                key = (op.domid, str(op.uuid or uuids.get(op.domid, "")))
                names.setdefault(key, f"domain {op.domid}")
                if name != HOST and op.name == "domain_create":
                    names[key] = f"{name} ({op.domid})"
            rows.setdefault(key, []).append(op)
        return [(names[key], self._lanes(rows[key])) for key in sorted(rows)]

    def _lanes(self, operations: list[hooks.ObservedOperation]) -> list[list[hooks.ObservedOperation]]:
        lanes: list[list[hooks.ObservedOperation]] = []
        for op in sorted(operations, key=lambda op: op.started_ns):
            for lane in lanes:
                if self._end(lane[-1]) <= op.started_ns:
                    lane.append(op)
                    break
            else:
                lanes.append([op])
        return lanes

    def _end(self, op: hooks.ObservedOperation) -> int:
        return op.ended_ns or self.ended_ns or time.monotonic_ns()

    def _phases(self, op: hooks.ObservedOperation) -> Iterator[tuple[str, int, int]]:
        """Yields the name, the start and the end of each phase."""
        ends = [*(phase.started_ns for phase in op.phases[1:]), self._end(op)]
        for phase, end in zip(op.phases, ends, strict=False):  # Without phases, one end is left.
            yield f"undo {phase.name}" if phase.undo else phase.name, phase.started_ns, end

    def chrome(self) -> dict[str, Any]:
        """Returns the trace in Chrome's format, for json.dump(). Times are in microseconds."""
        events: list[dict[str, Any]] = []

        def add(name: str, category: str, tid: int, begin: int, end: int, about: dict[str, Any]) -> None:
            times = {"ts": (begin - self.started_ns) / 1000, "dur": (end - begin) / 1000}
            shared = {"name": name, "cat": category, "ph": "X", "pid": 1, "tid": tid}
            events.append(shared | times | ({"args": about} if about else {}))

        events.append({"name": "process_name", "ph": "M", "pid": 1, "args": {"name": "aioxen"}})
        tid = 0
        for name, lanes in self._rows():
            for lane in lanes:
                tid += 1
                for kind, value in (
                    ("thread_name", {"name": name}),
                    ("thread_sort_index", {"sort_index": tid}),
                ):
                    events.append({"name": kind, "ph": "M", "pid": 1, "tid": tid, "args": value})
                for op in lane:
                    add(op.name, "operation", tid, op.started_ns, self._end(op), _about(op))
                    for phase, begin, end in self._phases(op):
                        add(phase, "phase", tid, begin, end, {})
        return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"left_out": self.left_out}}

    def html(self, title: str = "aioxen trace") -> str:
        """Returns a page with a timeline. The page needs no network and no other file."""
        rows = [
            {
                "name": name,
                "lanes": [
                    [
                        {
                            "name": op.name,
                            "begin": op.started_ns - self.started_ns,
                            "end": self._end(op) - self.started_ns,
                            "outcome": op.outcome or "unfinished",
                            "about": _about(op),
                            "phases": [
                                [phase, begin - self.started_ns, end - self.started_ns]
                                for phase, begin, end in self._phases(op)
                            ],
                        }
                        for op in lane
                    ]
                    for lane in lanes
                ],
            }
            for name, lanes in self._rows()
        ]
        until = (self.ended_ns or time.monotonic_ns()) - self.started_ns
        data = json.dumps({"title": title, "until": until, "left_out": self.left_out, "rows": rows})
        page = resources.files("aioxen").joinpath("trace.html").read_text(encoding="utf-8")
        # A "<" in the data could end the script element.
        return page.replace("{{data}}", data.replace("<", "\\u003c"))


def _about(op: hooks.ObservedOperation) -> dict[str, Any]:
    about: dict[str, Any] = {"outcome": op.outcome or "unfinished"}
    if op.domid is not None:
        about["domid"] = op.domid
    if op.uuid is not None:
        about["uuid"] = str(op.uuid)
    if op.inputs:
        about["inputs"] = op.inputs
    if op.error is not None:
        about["error"] = f"{type(op.error).__name__}: {op.error}"
    return about


@contextmanager
def recorded(most: int = MOST) -> Iterator[Recorder]:
    """Records the operations that are started in the block, of all contexts. At most `most` are kept."""
    recorder = Recorder(most)
    hooks.add(recorder)
    try:
        yield recorder
    finally:
        hooks.remove(recorder)
        recorder.ended_ns = time.monotonic_ns()


def run(script: str, arguments: Sequence[str], base: str | os.PathLike[str]) -> int:
    """Runs a Python script as `python3 SCRIPT ARGUMENTS`, and writes BASE.json and BASE.html when it ends.

    The files are also written if the script raises an exception, which this function raises then.

    Returns: The exit status of the script.
    """
    before = sys.argv, sys.path[0]
    sys.argv, sys.path[0] = [script, *arguments], str(Path(script).resolve().parent)
    status: object = 0
    try:
        with recorded() as recorder:
            try:
                runpy.run_path(script, run_name="__main__")
            except SystemExit as end:
                status = end.code
    finally:
        sys.argv, sys.path[0] = before
        title = " ".join([Path(script).name, *arguments])
        _write(Path(f"{os.fspath(base)}.json"), json.dumps(recorder.chrome()))
        _write(Path(f"{os.fspath(base)}.html"), recorder.html(title))
    if status is None or isinstance(status, int):
        return status or 0
    print(status, file=sys.stderr)
    return 1


def _write(path: Path, text: str) -> None:
    # Texts from xenstore may contain octets that are not UTF-8.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    print(f"wrote {path}", file=sys.stderr)
