# SPDX-License-Identifier: LGPL-2.1-or-later
"""man/man3: a manual page for every operation, struct and enumeration, one of events, one of errors."""

from __future__ import annotations

from collections.abc import Iterable

from gen import c
from gen import model as m
from gen.c_types import FUNCTIONS, enumeration_heads, struct_heads
from gen.reference import limits, rows_of

RETURNED = """\
0, or an error. With an
.I ao_how
that is not NULL
.B ERROR_ASYNC_INPROGRESS
says that the operation has been started: its result is told by the callback or the event.
Any other value: it did not start.
"""

Row = tuple[str, str]  # what is described, and the description


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
    return {f"man/man3/{name}.3": text for name, text in pages.items()}


# Roff


def escaped(text: str) -> str:
    """Text as roff takes it: nothing in it is a request, an escape, or a typographer's quote."""
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


def items(rows: Iterable[Row]) -> str:
    return "".join(f".TP\n.B {escaped(name)}\n{escaped(text) or '...'}\n" for name, text in rows)


def see(names: Iterable[str]) -> str:
    return (
        ",\n".join(f".BR {escaped(name)} (3)" for name in sorted(set(names))).replace(",\n.BR", " ,\n.BR")
        + "\n"
    )


# Pages


def named_in(fields: Iterable[m.Field]) -> list[str]:
    """The types in them that have a page."""
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
            ("PARAMETERS", items(parameters)),
            ("RETURN VALUE", RETURNED),
            ("ERRORS", items([*given, *started])),
            ("ABORT", paragraphs(c.one_line(o.abort))),
            ("TIME LIMIT", paragraphs(limit)),
            ("HISTORY", paragraphs(f"Since {o.since}." + (f" Taken back by {undo[0]}." if undo else ""))),
            ("SEE ALSO", see([*named_in(o.inputs + o.results), *undo, "libxl_errors"])),
        ],
    )


def functions(kind: m.Type, heads: dict[str, str]) -> str:
    """What the header says of such functions, by their names here."""
    have = {f"T_{what}" for what, head in heads.items() if f"{kind.c_name}_{what}(" in head}
    have |= {"T_init_<key>"} if any(what.startswith("init_") for what in heads) else set()
    have |= {"After"} if "to_json" in heads else set()
    said = [line for line in FUNCTIONS.splitlines() if line and line.split()[0] in have]
    return paragraphs("\n\n".join(said).replace("T_", f"{kind.c_name}_"))


def described(kind: m.Struct | m.Enumeration, model: m.Model) -> str:
    if isinstance(kind, m.Enumeration):
        heads = enumeration_heads(kind)
        inside = [(f'{v.c_name} = {v.value} ("{v.text}")', c.one_line(v.doc)) for v in kind.values]
        also: list[str] = []
    else:
        heads = struct_heads(kind)
        inside = list(rows_of(kind, ""))
        also = named_in(kind.fields)
    prototypes = "\n".join(f"{head};" for head in heads.values())
    return page(
        kind.c_name,
        kind.doc,
        [
            ("SYNOPSIS", code(f"#include <{model.name}.h>\n\n{prototypes}")),
            ("DESCRIPTION", paragraphs(kind.doc)),
            ("FIELDS" if isinstance(kind, m.Struct) else "VALUES", items(inside)),
            ("FUNCTIONS", functions(kind, heads)),
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
    about = "Each also carries domid, domuuid and for_user."
    return page(
        f"{model.name}_events",
        "What the library tells",
        [
            ("SYNOPSIS", code(f"#include <{model.name}.h>")),
            ("DESCRIPTION", paragraphs(about)),
            ("EVENTS", items(rows)),
            ("SEE ALSO", see(["libxl_errors"])),
        ],
    )


def errors(model: m.Model) -> str:
    common = ", ".join(e.c_name for e in model.common_errors)
    return page(
        f"{model.name}_errors",
        "What can go wrong",
        [
            ("SYNOPSIS", code(f"#include <{model.name}.h>")),
            ("DESCRIPTION", paragraphs(f"Every operation can give {common}." if common else "")),
            ("ERRORS", items((f"{e.c_name} = {e.value}", e.doc) for e in model.errors)),
            ("SEE ALSO", see(["libxl_events"] if model.events else ["libxl_errors"])),
        ],
    )
