# SPDX-License-Identifier: LGPL-2.1-or-later
"""src/_libxl_operations.c and src/_libxl_operations_internal.h: everything of an operation but its body."""

from __future__ import annotations

from collections.abc import Iterator

from gen import c
from gen import model as m

INTERNAL = (
    "Each operation's arguments, its body, and the table of operations.\n\n"
    "The bodies are written by hand in src/ops and called with the context locked; see ao.h. args belongs to "
    "the operation: `in` are its own copies of the inputs, `out` is the caller's memory for the results, valid "
    "until the completion."
)


def outputs(model: m.Model) -> dict[str, str]:
    if not model.operations:
        return {}
    return {
        "src/_libxl_operations_internal.h": internal_header(model),
        "src/_libxl_operations.c": source(model),
    }


# The internal header


def internal_header(model: m.Model) -> str:
    parts = ['#include "ao.h"\n', c.comment(INTERNAL)]
    parts += [arguments(o) for o in model.operations]
    rows = "".join(f"    {row(o)},\n" for o in model.operations)
    parts.append(
        c.comment("The operations' places in the table.")
        + f"enum {{\n{rows}    LIBXL__OP_COUNT\n}};\n\n"
        + "extern const libxl__ao_class libxl__operations[LIBXL__OP_COUNT];\n"
    )
    head = c.banner("What src/ops and the generated initiators share.")
    return head + c.guarded("LIBXL__OPERATIONS_INTERNAL_H", "\n".join(parts))


def row(o: m.Operation) -> str:
    return f"LIBXL__OP_{o.name.upper()}"


def args_type(o: m.Operation) -> str:
    return f"libxl__{o.name}_args"


def body_head(o: m.Operation) -> str:
    return c.prototype("int", f"libxl__{o.name}_body", ["libxl__ao *ao", f"{args_type(o)} *args"])


def arguments(o: m.Operation) -> str:
    def part(name: str, fields: list[m.Field], pointer: bool) -> str:
        inner = "".join(f"        {c.declare(f.kind, f.name, pointer=pointer)};\n" for f in fields)
        return f"    struct {{\n{inner}    }} {name};\n" if fields else ""

    parts = part("in", o.inputs, False) + part("out", o.results, True)
    if not parts:
        parts = "    char none;\n"
    name = args_type(o)
    return f"{c.comment(o.summary)}typedef struct {name} {{\n{parts}}} {name};\n{body_head(o)};\n"


# The source


def source(model: m.Model) -> str:
    parts = [
        c.banner("The operations' beginnings: what a caller gives is checked and copied, then the body runs."),
        "#include <stdlib.h>\n#include <string.h>\n\n"
        '#include "_libxl_operations_internal.h"\n',
    ]
    if any(c.is_pointer(f.kind) or o.results for o in model.operations for f in [*o.inputs, *o.results]):
        parts.append(
            c.function(
                "static int not_null(libxl__ao *ao, const char *name, const void *given)",
                'return given ? 0 : libxl__ao_fail(ao, ERROR_INVAL, "%s: NULL", name);\n',
            )
        )
    for o in model.operations:
        parts += [c.section(o.name), *checks(o), trampoline(o), *dispose(o), initiator(o)]
    rows = "".join(class_row(o) for o in model.operations)
    parts.append(f"const libxl__ao_class libxl__operations[LIBXL__OP_COUNT] = {{\n{rows}}};\n")
    return "\n".join(parts)


def class_row(o: m.Operation) -> str:
    limit = 0 if o.limit is None else round(o.limit * 1000)
    give_back = f"{o.name}_dispose" if owning(o) else "NULL"
    return (
        f'    [{row(o)}] = {{\n        .name = "{o.name}",\n        .body = {o.name}_body,\n'
        f"        .dispose = {give_back},\n        .args_size = sizeof({args_type(o)}),\n"
        f"        .limit_ms = {limit},\n        .slow = {str(o.speed is m.Speed.SLOW).lower()},\n    }},\n"
    )


def trampoline(o: m.Operation) -> str:
    head = c.prototype("static int", f"{o.name}_body", ["libxl__ao *ao", "void *args"])
    return c.function(head, f"return libxl__{o.name}_body(ao, args);\n")


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
    text += "int rc;\n\n"
    create = ["ctx", f"&libxl__operations[{row(o)}]", domid, "ao_how", "&ao"]
    text += c.call("rc = libxl__ao_create", create, 4) + ";\nif (rc)\n    return rc;\n"
    if o.inputs or o.results:
        text += "args = libxl__ao_args(ao);\n"
    text += "".join(f"args->in.{f.name} = {f.name};\n" for f in o.inputs if by_assignment(f))
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


def by_assignment(f: m.Field) -> bool:
    return not c.is_pointer(f.kind)


def start_steps(o: m.Operation) -> Iterator[str]:
    """Expressions that are 0 or an error: first what is checked, then what is copied."""
    for f in o.inputs:
        if c.is_pointer(f.kind):
            yield f'not_null(ao, "{f.name}", {f.name})'
    for f in o.results:
        yield f'not_null(ao, "{f.name}", {f.name})'
    for f in o.inputs:
        if check_body(f):
            yield f"{o.name}_check_{f.name}(ao, {f.name})"
    for f in o.inputs:
        if c.is_string(f.kind):
            yield f"(args->in.{f.name} = strdup({f.name})) ? 0 : ERROR_NOMEM"
        elif c.is_pointer(f.kind) and f.kind.copy_fn:
            yield f"{f.kind.copy_fn}(ctx, &args->in.{f.name}, {f.name})"
        elif c.is_pointer(f.kind):
            yield f"(args->in.{f.name} = *{f.name}, 0)"


# Checks: bounds, unknown values of enumerations, arrays that are not there


def checks(o: m.Operation) -> list[str]:
    found: list[str] = []
    for f in o.inputs:
        body = check_body(f)
        if body:
            head = c.prototype(
                "static int", f"{o.name}_check_{f.name}", ["libxl__ao *ao", c.input_parameter(f)]
            )
            found.append(c.function(head, body + "return 0;\n"))
    return found


def check_body(f: m.Field) -> str:
    if isinstance(f.kind, m.Struct):
        return "".join(check_field(g, f"{f.name}->", f"{f.name}.", []) for g in f.kind.fields)
    return check_field(f, "", "", [])


def refuse(condition: str, said: str, indices: list[str], message: str, value: str = "") -> str:
    """`if (condition)` fail with a message that begins with the path."""
    arguments = ["ao", "ERROR_INVAL", f'"{said}: {message}"', *indices, *([value] if value else [])]
    failing = c.call("    return libxl__ao_fail", arguments, 4 + 4 * len(indices))
    return f"if ({condition})\n{failing};\n"


def check_field(f: m.Field, access: str, shown: str, indices: list[str]) -> str:
    """Statements that check a field and what is in it. `access` and `shown` are the way to it, in C and in
    messages; `indices` fill the %d in `shown`."""
    kind = f.kind
    here, said = access + f.name, shown + f.name
    if isinstance(kind, m.Enumeration):
        return refuse(f"!{kind.c_name}_to_string({here})", said, indices, f"%d is not a {kind.name}", f"(int){here}")
    if isinstance(kind, m.Number):
        return check_bounds(f, here, said, indices)
    if isinstance(kind, m.Array):
        return check_array(f, kind, access, shown, indices)
    if isinstance(kind, m.KeyedUnion):
        return check_keyed_union(f, kind, access, shown, indices)
    if isinstance(kind, m.Struct):
        return "".join(check_field(g, f"{here}.", f"{said}.", indices) for g in kind.fields)
    return ""


def check_bounds(f: m.Field, here: str, said: str, indices: list[str]) -> str:
    kind = f.kind
    assert isinstance(kind, m.Number)
    low, high = f.min, f.max
    if kind.range and low is not None and low <= kind.range[0]:
        low = None  # a comparison that is always true draws a warning
    if kind.range and high is not None and high >= kind.range[1]:
        high = None
    if low is None and high is None:
        return ""
    suffix = "" if kind.signed else "u"
    long = "ll" if (kind.width or 64) > 32 else ""
    tests = [f"{here} < {low}{suffix}{long}"] * (low is not None)
    tests += [f"{here} > {high}{suffix}{long}"] * (high is not None)
    shown = f"(long long){here}" if kind.signed else f"(unsigned long long){here}"
    form = "%lld" if kind.signed else "%llu"
    if low is not None and high is not None:
        wanted = f"between {low} and {high}"
    else:
        wanted = f"{low} or more" if low is not None else f"{high} or less"
    return refuse(" || ".join(tests), said, indices, f"{form} is not {wanted}", shown)


def check_array(f: m.Field, array: m.Array, access: str, shown: str, indices: list[str]) -> str:
    length, here, said = access + array.lenvar.name, access + f.name, shown + f.name
    low, high = f.min or 0, f.max
    test = f"{length} < {low}" + (f" || {length} > {high}" if high is not None else "")
    wanted = f"between {low} and {high}" if high is not None else f"{low} or more"
    counted = shown + array.lenvar.name
    text = refuse(test, counted, indices, f"%d is not {wanted}", length)
    text += refuse(f"{length} && !{here}", said, indices, "NULL")
    index = "ijklmn"[len(indices)]
    element = m.Field(name="", type=array.element, place=f.place)
    if isinstance(array.element, m.Struct):
        inner = "".join(
            check_field(g, f"{here}[{index}].", f"{said}[%d].", [*indices, index]) for g in array.element.fields
        )
    else:
        inner = check_field(element, f"{here}[{index}]", f"{said}[%d]", [*indices, index])
    if inner:
        body = "".join(f"    {line}\n" for line in inner.splitlines())
        text += f"for (int {index} = 0; {index} < {length}; {index}++) {{\n{body}}}\n"
    return text


def check_keyed_union(f: m.Field, union: m.KeyedUnion, access: str, shown: str, indices: list[str]) -> str:
    text = check_field(union.keyvar, access, shown, indices)
    for arm in union.fields:
        if arm.type is None or arm.value is None:
            continue
        inner = check_field(arm, f"{access}{f.name}.", f"{shown}{f.name}.", indices)
        if inner:
            body = "".join(f"    {line}\n" for line in inner.splitlines())
            text += f"if ({access}{union.keyvar.name} == {arm.value.c_name}) {{\n{body}}}\n"
    return text
