# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds mistakes in an operation's phases."""

from __future__ import annotations

from collections.abc import Iterator

from gen import model as m
from gen.check_names import check_doc, check_name, unique
from gen.model import Mistake


def check_phases(o: m.Operation, common: list[m.Error]) -> Iterator[Mistake]:
    what = f"Operation {o.name}"
    if o.phases and o.speed is m.Speed.INSTANT:
        yield Mistake(o.at("phases"), f"{what}: phases: an instant operation has no phases")
    if not o.phases and o.speed is m.Speed.SLOW:
        yield Mistake(o.at("phases"), f"{what}: phases: a slow operation needs at least one phase")
    yield from unique(((p.name, p.place) for p in o.phases), f"{what}: phase")
    committed: m.Phase | None = None
    for phase in o.phases:
        here = f"{what}: Phase {phase.name}"
        yield from check_phase(phase, here)
        if phase.limit_error is not None and phase.limit_error not in [*o.errors, *common]:
            message = f"limit_error: {phase.limit_error.name} is not among the operation's errors"
            yield Mistake(phase.at("limit_error"), f"{here}: {message}")
        if phase.commits and committed:
            yield Mistake(phase.at("commits"), f"{here}: commits: {committed.name} has committed already")
        committed = committed or (phase if phase.commits else None)
        if phase.undo and committed:
            message = f"undo: nothing is undone once {committed.name} has started, because it commits"
            yield Mistake(phase.at("undo"), f"{here}: {message}")


def check_shared(model: m.Model) -> Iterator[Mistake]:
    """Yields a mistake if operations share their phases but declare different phases."""
    first: dict[str, m.Operation] = {}
    for o in model.operations:
        if o.shares and first.setdefault(o.shares, o).phases != o.phases:
            message = f"its phases are not those of {first[o.shares].name}"
            yield Mistake(o.at("shares"), f"Operation {o.name}: shares: {message}")


def check_phase(phase: m.Phase, what: str) -> Iterator[Mistake]:
    yield from check_name(phase.name, phase.place, what)
    if "shared" in phase.keywords:
        yield from check_name(phase.shared, phase.at("shared"), f"{what}: shared")
    yield from check_doc(what, phase.doc, phase.place)
    if "\n" in phase.doc:
        yield Mistake(phase.place, f"{what}: the documentation is more than one paragraph")
    for name, seconds, needed in (
        ("limit", phase.limit, ""),
        ("stop_limit", phase.stop_limit, "stop"),
        ("undo_limit", phase.undo_limit, "undo"),
    ):
        if seconds is not None and not 0.001 <= seconds <= 1_000_000:
            message = f"is in seconds, from 0.001 to 1000000, or None, not {seconds}"
            yield Mistake(phase.at(name), f"{what}: {name} {message}")
        if seconds is not None and needed and not getattr(phase, needed):
            yield Mistake(phase.at(name), f"{what}: {name} without {needed}")
    if "limit_error" in phase.keywords and phase.limit is None:
        yield Mistake(phase.at("limit_error"), f"{what}: limit_error without limit")
    for name in "stop", "limit":
        if getattr(phase, name) and not phase.waits:
            yield Mistake(phase.at(name), f"{what}: {name} without waits: the phase ends at once")
