# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes man/man3. There is a manual page for every operation, struct and enumeration, one page for all
events, and one page for all errors.

A function that is described in another page gets a page that only includes the other page (.so). The pages of
functions that are written by hand are in docs/man.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gen import c, phase_text
from gen import model as m
from gen.c_types import FUNCTIONS, enumeration_heads, error_heads, struct_heads
from gen.linker_map import called, heads
from gen.reference import limits, rows_of

RETURNED = """\
0, or an error. With an
.I ao_how
that is not NULL
.B ERROR_ASYNC_INPROGRESS
says that the operation has been started: the callback or the event reports its result.
Any other value: it did not start.
"""

RESULTS = """\
The results are initialised at the start of the call, also if it is refused. Their previous values are not \
disposed of. The caller owns them and disposes of them, which is also allowed after a failure."""
ANY_THREAD = "None of these functions takes a lock; any thread may call them."
SYNCHRONOUS = "The call waits. libxl_asyncop_how(3) describes the asynchronous ways."

Row = tuple[str, str]  # A term, and the term's description.


def outputs(model: m.Model) -> dict[str, str]:
    pages = {o.c_name: operation(o, model) for o in model.public_operations}
    hidden = (model.event, model.event_type)
    for kind in model.structs + model.enumerations:
        if kind.doc and not kind.hidden and kind not in hidden:
            pages[kind.c_name] = described(kind, model)
    if model.events:
        pages[f"{model.name}_events"] = events(model)
    if model.errors:
        pages[f"{model.name}_errors"] = errors(model)
    pages |= {name: f".so man3/{where}.3\n" for name, where in described_elsewhere(model, pages).items()}
    return {f"man/man3/{name}.3": text for name, text in pages.items()}


def described_elsewhere(model: m.Model, pages: Collection[str]) -> dict[str, str]:
    """Returns the page that describes each function, by function. Functions with a page of their own are
    left out."""
    where = {f.c_name: f.page for f in model.functions if f.c_name != f.page}
    for kind in model.types:
        if kind.c_name in pages:
            where |= {called(head): kind.c_name for head in heads(kind).values()}
    if model.events:
        own = [kind for kind in (model.event, model.event_type) if kind is not None]
        where |= {name: f"{model.name}_events" for kind in own for name in named_by(kind)}
    if model.errors:
        where |= {called(head): f"{model.name}_errors" for head in error_heads(model).values()}
    return where


def named_by(kind: m.Type) -> list[str]:
    """Returns the names of a type and of its functions."""
    return [kind.c_name, *(called(head) for head in heads(kind).values())]


# Roff


def escaped(text: str) -> str:
    """Returns text escaped for roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    return f"\\&{text}" if text.startswith(".") else text


def page(name: str, summary: str, sections: Iterable[tuple[str, str]]) -> str:
    head = (
        f'.\\" SPDX-License-Identifier: LGPL-2.1-or-later\n.TH {name.upper()} 3 "" aioxen "aioxen manual"\n'
    )
    short = escaped(c.one_line(summary.split("\n\n")[0]).rstrip("."))
    return head + f".SH NAME\n{name} \\- {short}\n" + "".join(f".SH {t}\n{s}" for t, s in sections if s)


def paragraphs(doc: str) -> str:
    return ".PP\n".join(escaped(part) + "\n" for part in doc.split("\n\n"))


def code(text: str) -> str:
    return f".nf\n{escaped(text.rstrip())}\n.fi\n".replace("\n\n", "\n.sp\n")


def example(text: str) -> str:
    """Returns the text of a program. Its lines and spaces are kept."""
    lines = (escaped(line) if line else "" for line in text.splitlines())
    return ".EX\n" + "".join(f"{line}\n" for line in lines) + ".EE\n"


def items(rows: Iterable[Row]) -> str:
    return "".join(f".TP\n.B {escaped(name)}\n{escaped(text) or '...'}\n" for name, text in rows)


def see(names: Iterable[str]) -> str:
    return (
        ",\n".join(f".BR {escaped(name)} (3)" for name in sorted(set(names))).replace(",\n.BR", " ,\n.BR")
        + "\n"
    )


# Pages


def named_in(fields: Iterable[m.Field]) -> list[str]:
    """Returns the types in the fields that have a page."""
    kinds = [kind for f in fields if f.type is not None for kind in m.walk(f.type)]
    return [k.c_name for k in kinds if isinstance(k, (m.Struct, m.Enumeration)) and k.name and k.doc]


def operation(o: m.Operation, model: m.Model) -> str:
    head = c.prototype("int", o.c_name, c.parameters(o))
    parameters = [(f.name, limits(f)) for f in o.inputs]
    parameters += [(f.name, f"(result) {c.one_line(f.doc)}") for f in o.results]
    parameters.append(("ao_how", "How it completes: NULL: in this call; a callback; or an event."))
    if o.progress is not None:
        parameters.append((c.progress_parameter(o), f"How it reports {o.progress.name}; may be NULL."))
    whole = {e.name: e.doc for e in model.whole.errors}
    given = [(e.c_name, e.doc) for e in [*o.errors, *model.common_errors]]
    started = [("ERROR_ASYNC_INPROGRESS", whole["ASYNC_INPROGRESS"])] if "ASYNC_INPROGRESS" in whole else []
    limit = f"{o.limit:g} s, unless libxl_ao_set_limit says otherwise." if o.limit else "None unless given."
    undo = [o.undo.c_name] if o.undo else []
    return page(
        o.c_name,
        o.summary,
        [
            ("SYNOPSIS", code(f"#include <{model.name}.h>\n\n{head};")),
            ("DESCRIPTION", paragraphs(o.doc)),
            ("PARAMETERS", items(parameters) + (f".PP\n{paragraphs(RESULTS)}" if o.results else "")),
            ("RETURN VALUE", RETURNED),
            ("ERRORS", items([*given, *started])),
            ("PHASES", phases(o)),
            ("ABORT", paragraphs(c.one_line(o.abort))),
            ("TIME LIMIT", paragraphs(limit)),
            ("THREADS", paragraphs("Any thread may call this, holding no lock that a callback takes.")),
            ("EXAMPLES", paragraphs(SYNCHRONOUS) + example(called_once(o, model))),
            ("HISTORY", paragraphs(f"Since {o.since}." + (f" Taken back by {undo[0]}." if undo else ""))),
            ("SEE ALSO", see([*named_in(o.inputs + o.results), *undo, "libxl_asyncop_how", "libxl_errors"])),
        ],
    )


def phases(o: m.Operation) -> str:
    rows = [(p.name, phase_text.sentences(o, p)) for p in o.phases]
    return paragraphs(phase_text.STOP_REQUEST) + items(rows) if rows else ""


def called_once(o: m.Operation, model: m.Model) -> str:
    """Returns an example: a C function that performs the operation and waits for its completion."""
    results = [c.declare(f.kind, f.name) for f in o.results]
    given = ["ctx", *(f.name for f in o.inputs), *(f"&{f.name}" for f in o.results), "NULL"]
    given += ["NULL"] * (o.progress is not None)
    lines = [f"    {result};" for result in results]
    lines += ["    " + line for line in c.call(f"int rc = {o.c_name}", given, 4).splitlines()]
    lines[-1] += ";"
    lines += ["", "    if (rc) {", '        fprintf(stderr, "%s\\n", libxl_error_message());']
    lines += ["        return rc;", "    }"]
    if o.results:
        lines.append(f"    /* {', '.join(f.name for f in o.results)}: valid from here on */")
    lines += [f"    {f.kind.dispose_fn}({released(f)});" for f in o.results if f.kind.owns]
    inputs = ["libxl_ctx *ctx", *(c.input_parameter(f) for f in o.inputs)]
    head = c.prototype("int", "example", inputs)
    body = "\n".join([*lines, "    return 0;"])
    return f"#include <{model.name}.h>\n#include <stdio.h>\n\n{head}\n{{\n{body}\n}}"


def released(f: m.Field) -> str:
    """Returns the argument of a dispose function: the name of a string, or the address of any other value."""
    return f.name if c.is_string(f.kind) else f"&{f.name}"


def functions(kind: m.Type, made: dict[str, str]) -> str:
    """Returns the sentences of the C header that describe the functions of a type. Replaces `T_` by the
    type's name."""
    have = {f"T_{what}" for what, head in made.items() if f"{kind.c_name}_{what}(" in head}
    have |= {"T_init_<key>"} if any(what.startswith("init_") for what in made) else set()
    have |= {"After"} if "to_json" in made else set()
    have |= {"An"} if any(isinstance(one, m.Array) for one in m.walk(kind)) else set()
    lines = [line for line in FUNCTIONS.splitlines() if line and line.split()[0] in have]
    return paragraphs("\n\n".join(lines).replace("T_", f"{kind.c_name}_"))


def described(kind: m.Struct | m.Enumeration, model: m.Model) -> str:
    if isinstance(kind, m.Enumeration):
        made = enumeration_heads(kind)
        inside = [(f'{v.c_name} = {v.value} ("{v.text}")', c.one_line(v.doc)) for v in kind.values]
        also: list[str] = []
    else:
        made = struct_heads(kind)
        inside = list(rows_of(kind, ""))
        also = named_in(kind.fields)
    prototypes = "\n".join(f"{head};" for head in made.values())
    return page(
        kind.c_name,
        kind.doc,
        [
            ("SYNOPSIS", code(f"#include <{model.name}.h>\n\n{prototypes}")),
            ("DESCRIPTION", paragraphs(kind.doc)),
            ("FIELDS" if isinstance(kind, m.Struct) else "VALUES", items(inside)),
            ("FUNCTIONS", functions(kind, made)),
            ("THREADS", paragraphs(ANY_THREAD) if made else ""),
            ("HISTORY", paragraphs(f"Since {kind.since}.")),
            ("SEE ALSO", see([*also, "libxl_errors"])),
        ],
    )


def events(model: m.Model) -> str:
    rows: list[Row] = []
    for e in model.events:
        names = ", ".join(f"{model.name.upper()}_EVENT_TYPE_{n.upper()}" for n in (e.name, *e.aliases))
        carried = "".join(f" {f.name}: {c.one_line(f.doc)}" for f in e.fields)
        rows.append((f"{names} = {e.number}", f"{c.one_line(e.doc)}{carried}"))
    own = [kind for kind in (model.event, model.event_type) if kind is not None]
    prototypes = "\n".join(f"{head};" for kind in own for head in heads(kind).values())
    about = "Each also carries domid, domuuid and for_user."
    return page(
        f"{model.name}_events",
        "What the library tells",
        [
            ("SYNOPSIS", code(f"#include <{model.name}.h>\n\n{prototypes}")),
            ("DESCRIPTION", paragraphs(about)),
            ("EVENTS", items(rows)),
            ("FUNCTIONS", ".PP\n".join(functions(kind, heads(kind)) for kind in own)),
            ("THREADS", paragraphs(ANY_THREAD)),
            ("SEE ALSO", see(["libxl_errors"])),
        ],
    )


def errors(model: m.Model) -> str:
    common = ", ".join(e.c_name for e in model.common_errors)
    about = [f"Every operation can give {common}."] if common else []
    about.append(
        f"{model.name}_error_name gives the name of an error without its prefix, {model.name}_error_describe "
        "what it means. Both give a constant, or NULL for a number that is no error."
    )
    about.append(
        f"The other functions treat {model.name}_error as an enumeration. "
        "Its words are the names in lower case."
    )
    name = f"{model.name}_error"
    prototypes = "\n".join(f"{head};" for head in error_heads(model).values())
    return page(
        f"{name}s",
        "What can go wrong",
        [
            ("SYNOPSIS", code(f"#include <{model.name}.h>\n\n{prototypes}")),
            ("DESCRIPTION", paragraphs("\n\n".join(about))),
            ("THREADS", paragraphs(ANY_THREAD)),
            ("ERRORS", items((f"{e.c_name} = {e.value}", e.doc) for e in model.errors)),
            ("SEE ALSO", see(["libxl_events"] if model.events else ["libxl_errors"])),
        ],
    )
