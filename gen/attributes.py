# SPDX-License-Identifier: LGPL-2.1-or-later
"""The attributes that types and fields may have, and what each may be."""

from __future__ import annotations

from typing import Any, TypeVar

from gen import model as m
from gen.locate import Lines
from gen.model import Mistake, Place

T = TypeVar("T")
Names = dict[str, object]
Kinds = dict[str, tuple[type, ...]]

NONE: type = type(None)

TYPE: Kinds = {
    "doc": (str,),
    "since": (str,),
    "comment": (str, NONE),
    "namespace": (str, NONE),
    "dir": (int,),
    "passby": (int,),
    "private": (bool,),
    "hidden": (bool,),
    "init_val": (str, int, NONE),
    "init_fn": (str, NONE),
    "dispose_fn": (str, NONE),
    "copy_fn": (str, NONE),
    "check_default_fn": (str, NONE),
    "copy_deprecated_fn": (str, NONE),
    "json_gen_fn": (str, NONE),
    "json_fn": (str, NONE),
    "jsonc_json_gen_fn": (str, NONE),
    "json_parse_type": (str, NONE),
    "json_parse_fn": (str, NONE),
    "autogenerate_init_fn": (bool,),
    "autogenerate_dispose_fn": (bool,),
    "autogenerate_copy_fn": (bool,),
    "autogenerate_json": (bool,),
}

# What a kind of type adds to these.
OWN: dict[str, Kinds] = {
    "Builtin": {"signed": (bool,), "json_pattern": (str,)},
    "Number": {"signed": (bool,), "width": (int,)},
    "Enumeration": {"value_namespace": (str, NONE)},
}

FIELD: Kinds = {
    "const": (bool,),
    "init_val": (str, int, NONE),
    "enumname": (str, NONE),
    "deprecated_by": (str, NONE),
    "min": (int,),
    "max": (int,),
}

# The functions that a kind of type has unless told otherwise; {} stands for the type's C name.
FUNCTIONS: dict[str, dict[str, str]] = {
    "Builtin": {"copy_fn": "{}_copy"},
    "Struct": {"init_fn": "{}_init", "dispose_fn": "{}_dispose", "copy_fn": "{}_copy"},
}

WORDS: dict[type, str] = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "True or False",
    m.Type: "a type",
}


def expect(value: object, kinds: tuple[type[T], ...], place: Place, what: str) -> T:
    """`value`, which must be of one of `kinds`. True and False are no numbers here."""
    for kind in kinds:
        if isinstance(value, kind) and not (isinstance(value, bool) and bool not in kinds):
            return value
    words = [WORDS.get(kind) or f"a {kind.__name__}" for kind in kinds if kind is not NONE]
    wanted = " or ".join(dict.fromkeys(words))
    raise Mistake(place, f"{what}: {wanted} is expected, not {describe(value)}")


def checked(given: Names, allowed: Kinds, lines: Lines, what: str) -> dict[str, Any]:
    """`given`, of which every name must be in `allowed` and every value of the kind it says."""
    for name, value in given.items():
        if name not in allowed:
            raise Mistake(lines.place(name), f"{what}: no such attribute: {name}")
        expect(value, allowed[name], lines.place(name), f"{what}: {name}")
    result: dict[str, Any] = dict(given)
    if "json_fn" in result:  # what libxl 4.2 calls it
        result["json_gen_fn"] = result.pop("json_fn")
    if isinstance(result.get("init_val"), int):
        result["init_val"] = str(result["init_val"])
    return result


def describe(value: object) -> str:
    """A value as a message shows it."""
    if isinstance(value, m.Type):
        return value.c_name or f"an anonymous {type(value).__name__}"
    if isinstance(value, tuple):
        return "(" + ", ".join(describe(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


def tidy(doc: str) -> str:
    """Documentation without its indentation: paragraphs of one line, an empty line between."""
    paragraphs = [" ".join(p.split()) for p in doc.strip().split("\n\n")]
    return "\n\n".join(p for p in paragraphs if p)


def split(given: Names, stem: str) -> tuple[Names, Names]:
    """The keywords that begin with `stem`, without it, and the others."""
    about = {k.removeprefix(stem): v for k, v in given.items() if k.startswith(stem)}
    return about, {k: v for k, v in given.items() if not k.startswith(stem)}
