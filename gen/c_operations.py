# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes include/_libxl_operations.h. The file has the prototype of each operation, with the whole
documentation of the operation."""

from __future__ import annotations

from gen import c
from gen import model as m

INTRODUCTION = (
    "What the library can do. Any thread may call any of these, holding no lock that a callback takes.\n\n"
    "ao_how says how the operation completes; see libxl_asyncop_how. Inputs are copied. Results are written "
    "only on success and before the completion; their memory must stay valid until then, and what they own "
    "is then the caller's. A time limit that is named here applies unless libxl_ao_set_limit says otherwise."
)

STARTED = """\
#ifdef LIBXL_API_VERSION
/* For programs that know libxl's convention: 0 means "started". */
static inline int libxl__started(int rc)
{
    return rc == ERROR_ASYNC_INPROGRESS ? 0 : rc;
}

"""


def outputs(model: m.Model) -> dict[str, str]:
    if not model.public_operations:
        return {}
    common = ", ".join(e.name for e in model.common_errors)
    text = INTRODUCTION + (f"\n\nEvery operation can also give {common}." if common else "")
    parts = [c.comment(text)]
    parts += [documented(o) for o in model.public_operations]
    if model.base:
        parts.insert(0, "#include <libxl.h>\n")
    parts.append(
        ("#ifdef LIBXL_API_VERSION\n" if model.base else STARTED)
        + "\n".join(started(o) for o in model.public_operations)
        + "#endif\n"
    )
    head = c.banner("The operations." + c.included(model))
    guard = f"{model.name}__OPERATIONS_H"
    return {f"include/_{model.name}_operations.h": head + c.guarded(guard, "\n".join(parts))}


def documented(o: m.Operation) -> str:
    head = c.prototype("int", o.c_name, c.parameters(o))
    return f"{c.comment(documentation(o))}{head};\n"


def documentation(o: m.Operation) -> str:
    lines = [o.doc, ""]
    lines += [f"  {f.name}: {c.one_line(f.doc)}{' May be NULL.' * f.optional}" for f in o.inputs]
    lines += [f"  {f.name} (result): {c.one_line(f.doc)}" for f in o.results]
    if o.progress is not None:
        lines.append(f"  {c.progress_parameter(o)}: reports {o.progress.name}; may be NULL.")
    if len(lines) > 2:
        lines.append("")
    lines.append(f"Errors: {', '.join(e.name for e in o.errors)}.")
    lines.append(f"Abort: {c.one_line(o.abort)}")
    if o.phases:
        lines.append(f"Phases: {', '.join(p.name for p in o.phases)}.")
    if o.limit is not None:
        lines.append(f"Time limit: {o.limit:g} s.")
    if o.undo is not None:
        lines.append(f"Taken back by {o.undo.c_name}.")
    lines.append(f"Since {o.since}.")
    return "\n".join(lines)


def started(o: m.Operation) -> str:
    """Returns an initiator that returns 0 for a started operation, as libxl's do. It is a function and not a
    macro, because a program may take its address."""
    name = f"{o.namespace}_{o.name}_started"
    head = c.prototype("static inline int", name, c.parameters(o))
    given = ["ctx", *(f.name for f in [*o.inputs, *o.results]), "ao_how"]
    if o.progress is not None:
        given.append(c.progress_parameter(o))
    body = c.call(f"return libxl__started({o.c_name}", given, 5) + ")"
    return c.function(head, f"{body};\n") + f"#define {o.c_name} {name}\n"
