# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Python names and types of the IDL's declarations, and functions that write generated Python code in the
format of `ruff format`."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill, indent

from gen import model as m

HEAD = "# SPDX-License-Identifier: LGPL-2.1-or-later\n# Generated from idl/ by gen/. Do not edit.\n"

# The spelling of words in class names. The words are abbreviations, or consist of several words.
SPELLING = {
    "badfail": "BadFail",
    "bufferfull": "BufferFull",
    "devops": "DevOps",
    "dominfo": "DomInfo",
    "fail": "Failed",
    "inprogress": "InProgress",
    "inval": "Invalid",
    "ni": "NotSupported",
    "nomem": "NoMemory",
    "noparavirt": "NoParavirt",
    "notfound": "NotFound",
    "osevent": "OsEvent",
    "physinfo": "PhysInfo",
    "pv": "PV",
    "pvh": "PVH",
    "timedout": "TimedOut",
    "uuid": "UUID",
}

# The builtin types that Python supports, by C name. Each entry has the annotation and the format character of
# the module struct. A type without a format character has "".
BUILTINS = {
    "bool": ("bool", "?"),
    "double": ("float", "d"),
    "char *": ("str", ""),
    "libxl_uuid": ("UUID", "16s"),
}

# The forms of types written by hand, as in gen.attributes.FORMS. Each entry has the annotation and the
# default of a field.
FORMS = {
    "bits": ("set[int]", "set()"),
    "strings": ("list[str]", "[]"),
    "pairs": ("dict[str, str | None]", "{}"),
    "octets": ("bytes", 'b""'),
    "blob": ("bytes", 'b""'),
    "defbool": ("bool | None", "None"),
}

LINE = 110


def camel(name: str) -> str:
    """Returns the class name of a type: `DomainCreateInfo` for `domain_create_info`."""
    words = name.lower().split("_")
    return "".join(SPELLING.get(word, word.capitalize()) for word in words if word)


def member(value: m.EnumValue) -> str:
    """Returns the name of a value's member in Python: `DARK_BLUE`. `9PFS` is not an identifier, so its
    member is `_9PFS`."""
    return value.name if value.name.isidentifier() else f"_{value.name}"


def error_class(error: m.Error) -> str:
    # PermissionError is a builtin.
    name = "NoPermission" if error.name == "PERMISSION" else camel(error.name)
    return f"{name}Error"


def is_bool(kind: m.Type) -> bool:
    return kind.c_name == "bool"


def is_string(kind: m.Type) -> bool:
    return kind.c_name == "char *"


def is_uuid(kind: m.Type) -> bool:
    return kind.c_name == "libxl_uuid"


def is_domid(kind: m.Type) -> bool:
    return kind.c_name == "libxl_domid"


def sole_array(kind: m.Type) -> m.Array | None:
    """Returns the array that is the only field of a struct, or None if the struct has other fields. In
    Python, a result of such a type is a list."""
    if isinstance(kind, m.Struct) and len(kind.fields) == 1 and isinstance(kind.fields[0].type, m.Array):
        return kind.fields[0].type
    return None


def form(kind: m.Type) -> str | None:
    """Returns the form (FORMS) of a type that has no class in Python: a type written by hand, or
    a bare union."""
    if isinstance(kind, m.Union):
        return "octets"
    if isinstance(kind, m.Builtin) and kind.c_name not in BUILTINS:
        return kind.python
    return None


def known(kind: m.Type) -> bool:
    """Returns whether values of the type can be converted. A struct can be converted, even if some of its
    fields cannot."""
    if kind.private or kind.hidden:
        return False
    if isinstance(kind, m.Array):
        return known(kind.element)
    if isinstance(kind, m.Builtin) and not isinstance(kind, m.Number):
        return kind.c_name in BUILTINS or form(kind) is not None
    return True


def loses(kind: m.Type) -> bool:
    """Returns whether some fields of a struct or arms of a union cannot be converted. C initialises
    these fields."""
    return isinstance(kind, m.Aggregate) and any(
        not known(f.type) or (f.type.name is None and loses(f.type))
        for f in kind.fields
        if f.type is not None
    )


def in_python(operation: m.Operation) -> bool:
    """Returns whether the operation is a method in Python. The method may lack an optional input."""
    return all(known(f.kind) for f in [*operation.inputs, *operation.results] if not f.optional)


def operations(model: m.Model) -> list[m.Operation]:
    """Returns the operations that are methods in Python."""
    return [o for o in model.public_operations if in_python(o)]


def inputs(operation: m.Operation) -> list[m.Field]:
    """Returns the inputs that the method in Python takes."""
    return [f for f in operation.inputs if known(f.kind)]


class Names:
    """The class names of a model, also for anonymous structs. A class comes after the classes that
    it uses."""

    def __init__(self, model: m.Model) -> None:
        whole = model.whole
        self.model = model
        self.package = "aioxen" if model is whole else model.name
        self.enumerations = [e for e in whole.enumerations if e is not whole.event_type]
        self.structs: dict[m.Struct, str] = {}
        for struct in whole.structs:
            if struct is not whole.event and known(struct):
                self.add(struct, camel(struct.name or ""))

    @property
    def own_enumerations(self) -> list[m.Enumeration]:
        """The enumerations that the model itself declares. An extension also uses the library's
        enumerations."""
        return [e for e in self.enumerations if e in self.model.types]

    @property
    def own_structs(self) -> dict[m.Struct, str]:
        files = {t.place.file for t in self.model.types}
        return {s: name for s, name in self.structs.items() if s.place.file in files}

    def ctype(self, name: str) -> str:
        """Returns the expression for a C type in generated Python. Each extension has its own ffi."""
        return f'"{name}"' if self.package == "aioxen" else f'ffi.typeof("{name}")'

    def imports(self, text: str, extended: str = "") -> str:
        """Returns the import lines of a generated module. `text` has the import lines of a module of the
        package aioxen.

        In an extension the lines name the extension's own modules, and `extended` holds further lines that
        import from aioxen.
        """
        if self.package == "aioxen":
            return text
        for module in "_convert", "_json", "_native", "types":
            text = text.replace(f"from aioxen.{module} import", f"from {self.package}.{module} import")
        for modules in "_convert, types", "types":
            text = text.replace(f"from aioxen import {modules}\n", f"from {self.package} import {modules}\n")
        head, found, rest = text.partition("from aioxen" if "from aioxen" in text else "\n\n")
        return head + extended + found + rest

    def add(self, struct: m.Struct, name: str) -> None:
        for f in struct.fields:
            self.add_inner(f.type, name + camel(f.name))
        self.structs[struct] = name

    def add_inner(self, kind: m.Type | None, name: str) -> None:
        if kind is not None and not known(kind):
            return
        if isinstance(kind, m.Array):
            self.add_inner(kind.element, name)
        elif isinstance(kind, m.KeyedUnion):
            for arm in kind.fields:
                self.add_inner(arm.type, name.removesuffix("U") + camel(arm.name))
        elif isinstance(kind, m.Struct) and kind.name is None:
            self.add(kind, name)

    def annotation(self, kind: m.Type, optional: bool = False) -> str:
        """Returns the Python type of a value. `optional`: the value may be None where C allows NULL."""
        if isinstance(kind, m.Number):
            return "int"
        if isinstance(kind, m.Enumeration):
            return camel(kind.name or "")
        if isinstance(kind, m.Array):
            return f"list[{self.annotation(kind.element)}]"
        if isinstance(kind, m.KeyedUnion):
            arms = [self.annotation(a.type) for a in kind.fields if a.type is not None and known(a.type)]
            words = [word for arm in arms for word in arm.split(" | ") if word != "None"]
            return " | ".join([*dict.fromkeys(words), "None"])
        if isinstance(kind, m.Struct):
            return self.structs[kind]
        if found := form(kind):
            return FORMS[found][0]
        if isinstance(kind, m.Float):
            return "float"
        return BUILTINS[kind.c_name][0] + (" | None" if optional and not is_bool(kind) else "")


def members(struct: m.Struct) -> list[m.Field]:
    """Returns the fields that the class has in Python. The keys of unions are included. The lengths of
    arrays, const fields, and fields of types that Python does not know are excluded."""
    seen: list[m.Field] = []
    for f in struct.fields:
        if isinstance(f.type, m.KeyedUnion):
            seen.append(f.type.keyvar)
        if not f.const and known(f.kind):
            seen.append(f)
    return seen


def docstring(text: str, margin: int = 4) -> str:
    """Returns `text` as a docstring, indented and wrapped."""
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    paragraphs = [
        p if p.startswith("    ") else fill(p, LINE - margin - 6) for p in text.strip().split("\n\n")
    ]
    body = "\n\n".join(paragraphs)
    return indent(f'"""{body}"""' if "\n" not in body else f'"""{body}\n"""', " " * margin) + "\n"


def function(name: str, parameters: list[str], returned: str, margin: int = 0, body: str = "") -> str:
    """Returns the head of a function, in lines as ruff breaks them. `body` is added to the last line."""
    space = " " * margin
    line = f"{space}def {name}({', '.join(parameters)}) -> {returned}:{body}\n"
    if len(line) <= LINE + 1:
        return line
    one = f"{space}    {', '.join(parameters)}{',' if len(parameters) == 1 else ''}\n"
    if len(one) > LINE + 1:
        one = "".join(f"{space}    {p},\n" for p in parameters)
    return f"{space}def {name}(\n{one}{space}) -> {returned}:{body}\n"


def call(head: str, arguments: list[str], margin: int, tail: str = "") -> str:
    """Returns the text `head(arguments)tail`, in lines as ruff breaks them."""
    space = " " * margin
    line = f"{space}{head}({', '.join(arguments)}){tail}\n"
    if len(line) <= LINE + 1:
        return line
    one = f"{space}    {', '.join(arguments)}\n"
    if tail or len(one) > LINE + 1:
        one = "".join(f"{space}    {a},\n" for a in arguments)
    return f"{space}{head}(\n{one}{space}){tail}\n"


def tuple_of(head: str, items: list[str], margin: int) -> str:
    """Returns the text `head(items),`, in lines as ruff breaks them. The text makes a tuple."""
    if len(items) > 1:
        return call(head, items, margin, ",")
    space = " " * margin
    line = f"{space}{head}({items[0]},),\n"
    if len(line) <= LINE + 1:
        return line
    item = f"{space}    {items[0]},\n"
    if len(item) > LINE + 1 and items[0].endswith(")"):
        inner, rest = items[0][:-1].split("(", 1)
        one = f"{space}        {rest}\n"
        if len(one) > LINE + 1:
            one = "".join(f"{space}        {part},\n" for part in rest.split(", "))
        item = f"{space}    {inner}(\n{one}{space}    ),\n"
    return f"{space}{head}(\n{item}{space}),\n"


def tuple_named(name: str, items: list[str], margin: int) -> str:
    """Returns the text `name = ("item", ...)`, in lines as ruff breaks them."""
    space = " " * margin
    quoted = [f'"{item}"' for item in items]
    line = f"{space}{name} = ({', '.join(quoted)}{',' if len(items) == 1 else ''})\n"
    if len(line) <= LINE + 1:
        return line
    return f"{space}{name} = (\n" + "".join(f"{space}    {q},\n" for q in quoted) + f"{space})\n"


def exported(names: Iterable[str]) -> str:
    """Returns the module's `__all__`."""
    return "__all__ = [\n" + "".join(f'    "{name}",\n' for name in sorted(names)) + "]\n"
