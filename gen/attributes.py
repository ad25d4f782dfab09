# SPDX-License-Identifier: LGPL-2.1-or-later
"""The attributes that types and fields may have, and the kinds of value that each accepts."""

from __future__ import annotations

from typing import Any, TypeVar

from gen import model as m
from gen.locate import Lines
from gen.model import Mistake, Place

T = TypeVar("T")
Names = dict[str, object]
Kinds = dict[str, tuple[type, ...]]

NONE: type = type(None)

TEXT = (str, NONE)

# The attributes that every type may have.
EVERY: Kinds = {
    "doc": (str,),
    "since": (str,),
    "namespace": TEXT,
    "dir": (int,),
    "private": (bool,),
    "hidden": (bool,),
}
PASSED: Kinds = {"passby": (int,)}
INITIAL: Kinds = {"init_val": (str, int, float, NONE), "check_default_fn": TEXT}
BY_HAND: Kinds = {"init_fn": TEXT, "dispose_fn": TEXT, "copy_fn": TEXT}
JSON: Kinds = {
    "json_gen_fn": TEXT,
    "json_fn": TEXT,
    "jsonc_json_gen_fn": TEXT,
    "json_parse_type": TEXT,
    "json_parse_fn": TEXT,
    "autogenerate_json": (bool,),
}
GENERATED: Kinds = {f"autogenerate_{what}_fn": (bool,) for what in ("init", "dispose", "copy")}
NUMBER: Kinds = EVERY | INITIAL | JSON | {"signed": (bool,)}

# The further attributes that each kind of type may have.
TYPE: dict[str, Kinds] = {
    "Builtin": EVERY
    | PASSED
    | INITIAL
    | BY_HAND
    | JSON
    | {"signed": (bool,), "json_pattern": (str,), "python": TEXT},
    "Number": NUMBER | {"width": (int,)},
    "UInt": NUMBER,
    "Enumeration": EVERY | INITIAL | {"value_namespace": TEXT},
    "Flags": EVERY | INITIAL | {"value_namespace": TEXT},
    "Struct": EVERY | PASSED | BY_HAND | JSON | GENERATED | {"copy_deprecated_fn": TEXT},
    "Union": EVERY | PASSED,
    "KeyedUnion": EVERY,
    "Array": EVERY,
}
ANONYMOUS: Kinds = EVERY  # The attributes that an anonymous Struct or Union may have.

FIELD: Kinds = {
    "const": (bool,),
    "init_val": (str, int, float, bool, NONE),
    "enumname": (str, NONE),
    "deprecated_by": (str, NONE),
    "min": (int, float),
    "max": (int, float),
    "optional": (bool,),
    "unsupported": (bool,),
    "json": (bool,),
}

# The attributes of the field beside a keyed union or an array. Beside a union this field is the key. Beside
# an array it is the length.
BESIDE: dict[str, Kinds] = {
    "keyvar_": {"init_val": (str, int, NONE), "enumname": TEXT},
    "lenvar_": {"init_val": (str, int, NONE)},
}

# The kinds of value in JSON. Each key is libxl's name of a kind, and each value is the name in JSON Schema.
SHAPES = {
    "JSON_ANY": "",
    "JSON_NULL": "null",
    "JSON_BOOL": "boolean",
    "JSON_INTEGER": "integer",
    "JSON_DOUBLE": "number",
    "JSON_NUMBER": "number",
    "JSON_STRING": "string",
    "JSON_MAP": "object",
    "JSON_ARRAY": "array",
}

# The forms that a type written by hand can have in Python. gen/README.md describes the C type for each form.
FORMS = ("bits", "strings", "pairs", "octets", "blob", "defbool")

# The form of each type of libxl that has one of the FORMS but lacks the attribute `python`.
FORMS_OF_LIBXL = {
    "libxl_bitmap": "bits",
    "libxl_defbool": "defbool",
    "libxl_hwcap": "octets",
    "libxl_key_value_list": "pairs",
    "libxl_mac": "octets",
    "libxl_ms_vm_genid": "octets",
    "libxl_string_list": "strings",
}

# The default names of the functions of a type, by kind of type. {} stands for the type's C name.
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
    """Returns `value`. Raises Mistake if `value` is of none of `kinds`. A bool is not a number. Text with
    a lone surrogate is also a mistake."""
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise Mistake(place, f"{what}: lone surrogate in {describe(value)}")
    for kind in kinds:
        if isinstance(value, kind) and not (isinstance(value, bool) and bool not in kinds):
            return value
    words = [WORDS.get(kind) or f"a {kind.__name__}" for kind in kinds if kind is not NONE]
    wanted = " or ".join(dict.fromkeys(words))
    raise Mistake(place, f"{what}: {wanted} is expected, not {describe(value)}")


def checked(given: Names, allowed: Kinds, lines: Lines, what: str) -> dict[str, Any]:
    """Returns the attributes in `given`. An attribute `json_fn` gets its newer name, and a number in init_val
    becomes a text. Raises Mistake if a name is not in `allowed`, or if its value is of a kind that `allowed`
    does not list."""
    for name, value in given.items():
        if name not in allowed:
            raise Mistake(lines.place(name), f"{what}: no such attribute: {name}")
        expect(value, allowed[name], lines.place(name), f"{what}: {name}")
    result: dict[str, Any] = dict(given)
    if "json_fn" in result:  # libxl 4.2 calls the attribute json_gen_fn by this name.
        result["json_gen_fn"] = result.pop("json_fn")
    initial = result.get("init_val")
    if isinstance(initial, (int, float)):
        result["init_val"] = str(initial).lower() if isinstance(initial, bool) else repr(initial)
    return result


def describe(value: object) -> str:
    """Returns the text that shows a value in a message."""
    if isinstance(value, m.Type):
        return value.c_name or f"an anonymous {type(value).__name__}"
    if isinstance(value, tuple):
        return "(" + ", ".join(describe(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


def tidy(doc: str) -> str:
    """Returns the documentation without indentation. Each paragraph is one line, with an empty line
    between two paragraphs."""
    paragraphs = [" ".join(p.split()) for p in doc.strip().split("\n\n")]
    return "\n\n".join(p for p in paragraphs if p)


def split(given: Names, stem: str) -> tuple[Names, Names]:
    """Divides keywords into two groups. The names in the first group begin with `stem`, which is removed
    from these names. The second group has the other keywords."""
    about = {k.removeprefix(stem): v for k, v in given.items() if k.startswith(stem)}
    return about, {k: v for k, v in given.items() if not k.startswith(stem)}
