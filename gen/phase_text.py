# SPDX-License-Identifier: LGPL-2.1-or-later
"""Describes an operation's phases in words, for the manual pages, the manual and the reference."""

from __future__ import annotations

from gen import model as m

HEADS = ["Phase", "What happens", "Waits until", "Limit", "On a stop request", "Undone by"]

STOP_REQUEST = "A stop request is an abort, the end of the time limit, or the closing of the context."


def table(o: m.Operation) -> list[list[str]]:
    """Returns a table with one row for each phase. HEADS has the heads of the columns."""
    return [
        [
            p.name,
            p.doc,
            p.waits or "it never waits",
            limit(p) or "none",
            stopped(o, p) or "it ends before a request can arrive",
            undone(p) or "nothing",
        ]
        for p in o.phases
    ]


def sentences(o: m.Operation, p: m.Phase) -> str:
    """Returns sentences that describe one phase. Attributes that the phase does not have are left out."""
    parts = [
        p.doc,
        f"Waits until {p.waits}." if p.waits else "",
        f"Limit: {limit(p)}." if limit(p) else "",
        f"On a stop request: {stopped(o, p)}" if stopped(o, p) else "",
        f"Undo: {undone(p)}" if undone(p) else "",
        "From here on the operation goes on to its end, and nothing is undone." if p.commits else "",
    ]
    return " ".join(part for part in parts if part)


def limit(p: m.Phase) -> str:
    if p.limit is None:
        return ""
    return f"{p.limit:g} s, then " + (p.limit_error.name if p.limit_error else "the next phase")


def stopped(o: m.Operation, p: m.Phase) -> str:
    """Returns the effect of a stop request in this phase, and the phases that this request undoes."""
    if not p.waits:
        return ""
    until_now = o.phases[: o.phases.index(p) + 1]
    committed = any(q.commits for q in until_now)
    begin = "The operation goes on to its end." if committed else "The phase is left at once."
    if p.stop:
        begin = p.stop + (f" The phase has {p.stop_limit:g} s for this." if p.stop_limit else "")
    if committed:
        return begin
    names = [q.name for q in reversed(until_now) if q.undo]
    if len(names) > 1:
        return f"{begin} Then {', '.join(names[:-1])} and {names[-1]} are undone, in this order."
    return f"{begin} Then {names[0]} is undone." if names else f"{begin} There is nothing to undo."


def undone(p: m.Phase) -> str:
    if not p.undo or p.undo_limit is None:
        return p.undo
    return f"{p.undo} The operation waits {p.undo_limit:g} s for this."
