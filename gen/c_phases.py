# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes src/_libxl_phases_NAME.h. The file has the table of phases of one slow operation, or of several
operations with the same phases. The table contains functions that call hand-written functions.

The operation's source includes the header at its end. If the IDL declares a function that the source lacks,
the source does not compile. If the source has a function that the IDL does not declare, the compiler warns
about an unused static function. The functions of a phase with `shared` are in another source, and a header
that the operation's source includes declares them.
"""

from __future__ import annotations

from collections.abc import Iterator

from gen import c
from gen import model as m

SUBJECT = """\
The phases of {0}. Included as the last line of the source that has, before it:

  typedef struct ... {0}_state;
{1}"""


def outputs(model: m.Model) -> dict[str, str]:
    return {f"src/_{model.name}_phases_{stem(o)}.h": header(model, o) for o in model.operations if o.phases}


def stem(o: m.Operation) -> str:
    """Returns the name of an operation's list of phases: the operation's own name, or the name that
    several operations share."""
    return o.shares or o.name


def variable(o: m.Operation) -> str:
    """Returns the C name of the table of an operation's phases."""
    return f"{o.namespace}_{stem(o)}_phases"


def header(model: m.Model, o: m.Operation) -> str:
    wanted = "".join(
        f"  {declared(o, phase, what, returned)};\n"
        for phase in o.phases
        for what, returned in functions(phase)
    )
    parts = [f'#include "_{model.name}_operations_internal.h"\n']
    parts += [wrapper(o, phase, what, returned) for phase in o.phases for what, returned in functions(phase)]
    rows = "".join(row(o, phase) for phase in o.phases)
    parts.append(
        f"const libxl__phases {variable(o)} = {{\n    .list = (const libxl__phase[]){{\n{rows}    }},\n"
        f"    .count = {len(o.phases)},\n    .state_size = sizeof({stem(o)}_state),\n}};\n"
    )
    head = c.banner(SUBJECT.format(stem(o), wanted).rstrip("\n"))
    return head + c.guarded(f"{model.name}__PHASES_{stem(o)}_H", "\n".join(parts))


def functions(phase: m.Phase) -> Iterator[tuple[str, str]]:
    """Yields the hand-written functions of a phase: the end of each function's name, and the type that the
    function returns."""
    yield "start", "int "
    if phase.waits:
        yield "poll", "int "
    if phase.stop:
        yield "stop", "void "
    if phase.undo:
        yield "undo", "int "


def declared(o: m.Operation, phase: m.Phase, what: str, returned: str) -> str:
    """Returns the prototype of a hand-written function."""
    if phase.shared:
        part = f"{o.namespace}_{phase.shared}"
        return f"{returned}{part}_{phase.name}_{what}(libxl__ao *ao, {part} *{phase.shared})"
    return f"static {returned}{phase.name}_{what}(libxl__ao *ao, {stem(o)}_state *s)"


def wrapper(o: m.Operation, phase: m.Phase, what: str, returned: str) -> str:
    """Returns a function for the table of phases. It calls the hand-written function with the operation's
    state."""
    head = c.prototype(
        f"static {returned}".rstrip(), f"{stem(o)}_{phase.name}_{what}", ["libxl__ao *ao", "void *state"]
    )
    call = f"{phase.name}_{what}(ao, s);\n"
    if phase.shared:
        call = f"{o.namespace}_{phase.shared}_{phase.name}_{what}(ao, &s->{phase.shared});\n"
    return c.function(
        head, f"{stem(o)}_state *s = state;\n\n" + ("return " if returned == "int " else "") + call
    )


def row(o: m.Operation, phase: m.Phase) -> str:
    members = [f'.name = "{phase.name}"']
    members += [f".{what} = {stem(o)}_{phase.name}_{what}" for what, _ in functions(phase)]
    for member, seconds in (
        ("limit_ms", phase.limit),
        ("stop_ms", phase.stop_limit),
        ("undo_ms", phase.undo_limit),
    ):
        if seconds is not None:
            members.append(f".{member} = {round(seconds * 1000)}")
    if phase.limit_error is not None:
        members.append(f".limit_rc = {phase.limit_error.c_name}")
    if phase.commits:
        members.append(".commits = true")
    lines = "".join(f"            {member},\n" for member in members)
    return f"        {{\n{lines}        }},\n"
