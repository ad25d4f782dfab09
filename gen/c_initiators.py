# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes src/_libxl_operations.c and src/_libxl_operations_internal.h. These files have the functions that
start operations, and the table of operations."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from gen import c, c_phases
from gen import model as m
from gen.c_checks import check_input, checks
from gen.c_types import checked_copy_name
from gen.c_types_source import internal_header_name

INTERNAL = (
    "Each operation's arguments, its phases or its body, and the table of operations.\n\n"
    "The functions of the phases and the bodies are written by hand in src/ops; phase.h and ao.h say how "
    "they are called. args belongs to the operation: `in` are its own copies of the inputs, `out` is the "
    "caller's memory for the results, valid until the completion. An optional input that is not given is "
    "NULL, or has its initial value, and its has_ is false."
)


def outputs(model: m.Model) -> dict[str, str]:
    if not model.operations:
        return {}
    return {
        f"src/_{model.name}_operations_internal.h": internal_header(model),
        f"src/_{model.name}_operations.c": source(model),
    }


# The internal header


def internal_header(model: m.Model) -> str:
    parts = [internal_includes(model), c.comment(INTERNAL)]
    parts += [arguments(o) for o in model.operations]
    rows = "".join(f"    {row(o)},\n" for o in model.operations)
    parts.append(
        c.comment("The operations' places in the table.")
        + f"enum {{\n{rows}    {row_count(model)}\n}};\n\n"
        + f"extern const libxl__ao_class {table(model.operations[0])}[{row_count(model)}];\n"
    )
    head = c.banner("What src/ops and the generated initiators share.")
    return head + c.guarded(f"{model.name}__OPERATIONS_INTERNAL_H", "\n".join(parts))


def internal_includes(model: m.Model) -> str:
    own = f'#include "{model.name}.h"\n' if model.base else ""
    return f'#include "{internal_header_name(model)}"\n#include "ao.h"\n{own}'


def row(o: m.Operation) -> str:
    return f"{o.namespace}_OP_{o.name}".upper()


def row_count(model: m.Model) -> str:
    return f"{model.operations[0].namespace}_OP_COUNT".upper()


def table(o: m.Operation) -> str:
    """Returns the name of the table that lists the operations of this operation's namespace."""
    return f"{o.namespace}_operations"


def args_type(o: m.Operation) -> str:
    return f"{o.namespace}_{o.name}_args"


def body_head(o: m.Operation) -> str:
    return c.prototype("int", f"{o.namespace}_{o.name}_body", ["libxl__ao *ao", f"{args_type(o)} *args"])


def arguments(o: m.Operation) -> str:
    def part(name: str, fields: list[m.Field], pointer: bool) -> str:
        inner = "".join(f"        {c.declare(f.kind, f.name, pointer=pointer)};\n" for f in fields)
        return f"    struct {{\n{inner}    }} {name};\n" if fields else ""

    parts = part("in", o.inputs, False) + part("out", o.results, True)
    given = "".join(f"        bool has_{f.name};\n" for f in o.inputs if f.optional)
    parts = parts.replace("    } in;\n", f"{given}    }} in;\n", 1)
    if not parts:
        parts = "    char none;\n"
    name = args_type(o)
    by_hand = f"extern const libxl__phases {c_phases.variable(o)}" if o.phases else body_head(o)
    return f"{c.comment(o.summary)}typedef struct {name} {{\n{parts}}} {name};\n{by_hand};\n"


# The source


def source(model: m.Model) -> str:
    internal = f"_{model.name}_operations_internal.h"
    parts = [
        c.banner("How operations start: the inputs are checked and copied, then the operation runs."),
        '#include <stdlib.h>\n#include <string.h>\n\n#include "' + internal + '"\n',
    ]
    if any(
        c.is_pointer(f.kind) or o.results for o in model.public_operations for f in [*o.inputs, *o.results]
    ):
        parts.append(
            c.function(
                "static int not_null(libxl__ao *ao, const char *name, const void *given)",
                'return given ? 0 : libxl__ao_fail(ao, ERROR_INVAL, "%s: NULL", name);\n',
            )
        )
    for o in model.operations:
        body = [trampoline(o)] if o.speed is m.Speed.INSTANT else []
        start = [] if o.hidden else [initiator(o)]
        made = [*([] if o.hidden else checks(o)), *body, *dispose(o), *start]
        parts += [c.section(o.name), *made] if made else []
    rows = "".join(class_row(o, model.common_errors) for o in model.operations)
    parts.append(f"const libxl__ao_class {table(model.operations[0])}[{row_count(model)}] = {{\n{rows}}};\n")
    return "\n".join(parts)


def class_row(o: m.Operation, common: list[m.Error]) -> str:
    limit = 0 if o.limit is None else round(o.limit * 1000)
    give_back = f"{o.name}_dispose" if owning(o) else "NULL"
    runs = f".phases = &{c_phases.variable(o)}" if o.phases else f".body = {o.name}_body"
    return (
        f'    [{row(o)}] = {{\n        .name = "{o.name}",\n        {runs},\n'
        f"        .dispose = {give_back},\n        .args_size = sizeof({args_type(o)}),\n"
        f"        .limit_ms = {limit},\n        .slow = {str(o.speed is m.Speed.SLOW).lower()},\n"
        f"        .reports = {str(o.progress is not None).lower()},\n"
        f"        .errors = {error_list([*o.errors, *common])},\n    }},\n"
    )


def error_list(errors: list[m.Error]) -> str:
    """Returns the list of an operation's error numbers, which ends with 0. A debug build asserts that the
    list has the error of each failed operation."""
    text = ", ".join([*(e.c_name for e in errors), "0"])
    indent = " " * 12
    return (
        f"(const int[]){{\n{textwrap.fill(text, c.WIDTH, initial_indent=indent, subsequent_indent=indent)}}}"
    )


def trampoline(o: m.Operation) -> str:
    head = c.prototype("static int", f"{o.name}_body", ["libxl__ao *ao", "void *args"])
    return c.function(head, f"return {o.namespace}_{o.name}_body(ao, args);\n")


def owning(o: m.Operation) -> list[m.Field]:
    return [f for f in o.inputs if f.kind.owns]


def dispose(o: m.Operation) -> list[str]:
    owned = owning(o)
    if not owned:
        return []
    lines = "".join(
        f"{f.kind.dispose_fn}({'&' if c.by_reference(f.kind) else ''}args->in.{f.name});\n" for f in owned
    )
    body = f"{args_type(o)} *args = p;\n\n{lines}"
    return [c.function(f"static void {o.name}_dispose(void *p)", body)]


def initiator(o: m.Operation) -> str:
    domid = o.domid.name if o.domid else "LIBXL_DOMID_INVALID"
    text = "libxl__ao *ao;\n"
    steps = list(start_steps(o))
    if o.inputs or o.results:
        text += f"{args_type(o)} *args;\n"
    if o.speed is m.Speed.INSTANT:
        text += f"LIBXL__AO_HERE(here, {args_type(o)});\n"
    text += "int rc;\n\n"
    text += "".join(initialised(f) for f in o.results)
    create = ["ctx", f"&{table(o)}[{row(o)}]", domid, "ao_how", "&ao"]
    maker = "libxl__ao_create"
    if o.speed is m.Speed.INSTANT:
        maker += "_instant"
        create.insert(4, "here")
    text += c.call(f"rc = {maker}", create, 4) + ";\nif (rc)\n    return rc;\n"
    if o.inputs or o.results:
        text += "args = libxl__ao_args(ao);\n"
    text += "".join(f"args->in.{f.name} = {f.name};\n" for f in o.inputs if by_assignment(f))
    text += "".join(f"args->in.has_{f.name} = {f.name} != NULL;\n" for f in o.inputs if f.optional)
    text += "".join(by_octets(f) for f in o.inputs if c.is_pointer(f.kind) and not f.kind.copy_fn)
    text += "".join(initial(f) for f in o.inputs if f.optional and f.kind.init_fn)
    text += "".join(f"args->out.{f.name} = {f.name};\n" for f in o.results)
    if o.progress is not None:
        text += f"libxl__ao_progress_how(ao, {c.progress_parameter(o)});\n"
    if steps:
        text += "\n" + "".join(
            f"rc = {step};\n" if number == 0 else f"if (!rc)\n    rc = {step};\n"
            for number, step in enumerate(steps)
        )
        text += "if (rc)\n    return libxl__ao_abort_start(ao, rc);\n"
    text += "return libxl__ao_start(ao);\n"
    return c.function(c.prototype("int", o.c_name, c.parameters(o)), text)


def initialised(f: m.Field) -> str:
    """Returns the statement that sets a result to its initial value, because the caller may always dispose
    of a result."""
    if f.kind.init_fn:
        return f"if ({f.name})\n    {f.kind.init_fn}({f.name});\n"
    if c.by_reference(f.kind) or not (c.is_scalar(f.kind) or c.is_string(f.kind)):
        return f"if ({f.name})\n    memset({f.name}, 0, sizeof(*{f.name}));\n"
    zero = "NULL" if c.is_pointer(f.kind) else "0"
    value = f.kind.init_val or ("LIBXL_DOMID_INVALID" if f.kind.name == "domid" else zero)
    return f"if ({f.name})\n    *{f.name} = {value};\n"


def by_assignment(f: m.Field) -> bool:
    return not c.is_pointer(f.kind) and not copied_by_value(f)


def copied_by_value(f: m.Field) -> bool:
    """Returns whether an input is passed by value although it owns memory. Only hand-written types, such
    as lists, are passed like this."""
    return not c.is_pointer(f.kind) and f.kind.copy_fn is not None and not isinstance(f.kind, m.Number)


def by_octets(f: m.Field) -> str:
    """Returns the statement that copies an input that owns no memory. The statement calls memcpy, because
    the C type may be an array. If the input is NULL, the copy stays zero."""
    return f"if ({f.name})\n    memcpy(&args->in.{f.name}, {f.name}, sizeof(args->in.{f.name}));\n"


def initial(f: m.Field) -> str:
    return f"if (!{f.name})\n    {f.kind.init_fn}(&args->in.{f.name});\n"


def start_steps(o: m.Operation) -> Iterator[str]:
    """Yields the C expressions that check the inputs, and then the C expressions that copy the inputs. The
    value of each expression is 0 or an error."""
    for f in o.inputs:
        if c.is_pointer(f.kind) and not f.optional:
            yield f'not_null(ao, "{f.name}", {f.name})'
    for f in o.results:
        yield f'not_null(ao, "{f.name}", {f.name})'
    for f in o.inputs:
        if check_input(f):
            given = f"{f.name} ? " if f.optional else ""
            yield f"{given}{o.name}_check_{f.name}(ao, {f.name})" + (" : 0" if given else "")
    for f in o.inputs:
        if c.is_string(f.kind):
            given = f"!{f.name} || " if f.optional else ""
            yield f"{given}(args->in.{f.name} = strdup({f.name})) ? 0 : ERROR_NOMEM"
        elif (c.is_pointer(f.kind) or copied_by_value(f)) and f.kind.copy_fn:
            source = f.name if c.is_pointer(f.kind) else f"&{f.name}"
            copy = f"{checked_copy_name(f.kind)}(ctx, &args->in.{f.name}, {source})"
            yield f"{f.name} ? {copy} : 0" if f.optional else copy
