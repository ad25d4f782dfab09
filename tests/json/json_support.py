# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds a C driver for generated types. Generates documents, and the answer that the driver must give to
each document."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from gen import model as m  # noqa: E402
from gen.c_types import struct_heads  # noqa: E402
from gen.json_forms import Form, form, members, structs  # noqa: E402
from gen.load import load  # noqa: E402

STRICT = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover"]


@dataclass
class Subject:
    """The types under test: their IDL files, and further data for the driver and the documents."""

    files: Sequence[Path]
    folders: Sequence[Path]
    """The folders with libxl.h and the headers of hand-written types."""
    sources: Sequence[Path]
    """The sources of the hand-written types and of the functions that src/json calls."""
    by_hand: dict[str, tuple[st.SearchStrategy[Any], Any]]
    """A strategy for the documents of each hand-written type, and the type's initial document."""
    constants: dict[str, int] = field(default_factory=dict)
    """The values of the C constants that are initial values in the IDL."""
    left_out: dict[str, Callable[[Any], bool]] = field(default_factory=dict)
    """For each C type with a check_default_fn, a function that tells whether a document is the default."""
    options: list[str] = field(default_factory=list)
    """The compiler options."""

    def __post_init__(self) -> None:
        self.model = load(self.files)
        self.structs = structs(self.model)


# The driver


def build(subject: Subject, out: Path, compiler: str = "gcc") -> Path:
    """Generates the code, compiles it without warnings, and links the driver. Returns the driver's path."""
    run(sys.executable, "-m", "gen", *subject.files, "--out", out, "--only", "c", cwd=ROOT)
    (out / "types_under_test.h").write_text(table(subject.structs))
    folders = [*subject.folders, out, out / "include", out / "src", ROOT / "src/json", ROOT / "src/core"]
    sources = [HERE / "driver.c", *subject.sources, *sorted((out / "src").glob("_libxl_types*.c"))]
    sources += sorted((ROOT / "src/json").glob("*.c"))
    include = [f"-I{f}" for f in folders]
    run(
        compiler,
        *STRICT,
        *SANITIZED,
        *subject.options,
        *include,
        *sources,
        "-ljson-c",
        "-lxentoollog",
        "-o",
        out / "driver",
    )
    return out / "driver"


def run(*command: object, cwd: Path | None = None) -> None:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def table(kinds: Sequence[m.Struct]) -> str:
    """Returns the driver's table with the functions of each type."""
    lines, rows = [], []
    for kind in kinds:
        heads, name = struct_heads(kind), kind.c_name
        row = [f'"{kind.name}"', f"sizeof({name})"]
        for what, function in (
            ("init", kind.init_fn),
            ("dispose", kind.dispose_fn),
            ("copy", kind.copy_fn),
            ("to_json", f"{name}_to_json"),
            ("from_json", f"{name}_from_json"),
        ):
            if what in heads:
                lines.append(f"{what.upper()}({function})")
                row.append(f"{function}_any")
            else:
                row.append("NULL")
        rows.append(f"    {{{', '.join(row)}}},")
    return "\n".join([*lines, "static const type types[] = {", *rows, "    {.name = NULL},", "};", ""])


class Driver:
    """A running driver process."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def ask(self, kind: str, document: bytes) -> str:
        """Sends a document. Returns the answer: `= DOCUMENT` or `! MESSAGE`."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(kind.encode() + b" " + document + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode("utf-8")
        assert answer.endswith("\n"), self.end()
        return answer[:-1]

    def end(self) -> str:
        """Ends the driver. Returns the driver's error output, such as a report of leaked memory."""
        output = self.process.communicate()[1].decode(errors="replace")
        return output or ("" if self.process.returncode == 0 else f"ended with {self.process.returncode}")


# Documents


def canonical(document: object) -> str:
    """Returns the text that the library writes for a document."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
LEFT_OUT = object()


@dataclass
class Documents:
    """Strategies for pairs of documents. A user may write the first document of a pair. The second is the
    document that the library writes for the same value."""

    subject: Subject

    def of(self, kind: m.Struct) -> st.SearchStrategy[tuple[Any, Any]]:
        return self.object(kind, kind.dir == m.DIR_OUT)

    def object(self, kind: m.Aggregate, out: bool) -> st.SearchStrategy[tuple[Any, Any]]:
        parts = [self.member(f, found, out) for f, found in members(kind)]
        return st.tuples(*parts).map(self.joined)

    @staticmethod
    def joined(parts: tuple[tuple[str, Any, Any], ...]) -> tuple[Any, Any]:
        given = {name: g for name, g, _ in reversed(parts) if g is not LEFT_OUT}
        made = {name: made for name, _, made in parts if made is not LEFT_OUT}
        return given, made

    def member(self, f: m.Field, found: Form, out: bool) -> st.SearchStrategy[tuple[str, Any, Any]]:
        """Returns the tuple (name, given, made) for a field: `given` is the value in the user's document,
        and `made` is the value in the library's document. LEFT_OUT: the document has no such member."""
        kind = f.kind
        if isinstance(kind, m.KeyedUnion):
            return st.one_of(st.just(("", LEFT_OUT, LEFT_OUT)), *self.arms(kind, out))
        if isinstance(kind, m.Array):
            lists = st.lists(
                self.element(kind.element, found, f), min_size=f.min or 0, max_size=min(f.max or 3, 3)
            )
            pairs = lists.map(lambda v: ([g for g, _ in v], [made for _, made in v] or LEFT_OUT))
        elif isinstance(kind, m.Struct) and found in (Form.STRUCT, Form.GROUP):
            pairs = self.object(kind, kind.dir == m.DIR_OUT if found is Form.STRUCT else out).map(
                lambda v: (v[0], v[1] or LEFT_OUT)
            )
        else:
            initial = self.initial(f, found)
            nothing = (initial, "") if out and found is Form.STRING else (initial,)
            values = self.value(kind, found, f)
            if found is Form.STRING:
                values = st.none() | values
            left_out = self.subject.left_out.get(f.kind.c_name, lambda v: False)
            pairs = values.map(lambda v: (v, LEFT_OUT if v in nothing or left_out(v) else v))
        return st.one_of(
            st.just((f.name, LEFT_OUT, LEFT_OUT)), pairs.map(lambda pair: (f.name, pair[0], pair[1]))
        )

    def arms(self, union: m.KeyedUnion, out: bool) -> Iterator[st.SearchStrategy[tuple[str, Any, Any]]]:
        held = {f.value: (f, found) for f, found in members(union)}
        first = self.initial(union.keyvar, Form.WORD)
        for value in union.key.values:
            name, chosen = f"{union.keyvar.name}.{value.text}", value.text == first
            f, found = held.get(value, (None, None))
            if f is None or found is None:
                empty: Any = LEFT_OUT if chosen else {}
                yield st.just((name, {}, empty))
                continue
            yield self.arm(f, found, out).map(
                lambda v, name=name, chosen=chosen: (  # type: ignore[misc]
                    name,
                    v[0],
                    LEFT_OUT if chosen and not v[1] else v[1],
                )
            )

    def arm(self, f: m.Field, found: Form, out: bool) -> st.SearchStrategy[tuple[Any, Any]]:
        if isinstance(f.type, m.Struct):
            return self.object(f.type, f.type.dir == m.DIR_OUT if found is Form.STRUCT else out)
        return self.value(f.kind, found, f).map(lambda v: (v, v))

    def element(self, kind: m.Type, found: Form, f: m.Field) -> st.SearchStrategy[tuple[Any, Any]]:
        if isinstance(kind, m.Struct) and found is Form.STRUCT:
            return self.of(kind)
        values = self.value(kind, found, m.Field(name="", type=kind, place=f.place))
        if found is Form.STRING:
            values = st.none() | values
        return values.map(lambda v: (v, v))

    def value(self, kind: m.Type, found: Form, f: m.Field) -> st.SearchStrategy[Any]:
        """Returns a strategy for the values of a type, over its full range."""
        if found is Form.BY_HAND:
            return self.subject.by_hand[kind.c_name][0]
        if found is Form.BOOL:
            return st.booleans()
        if found is Form.STRING:
            return TEXT
        if found is Form.DOUBLE:
            eighths = (
                st.integers(-8000, 8000) if f.min is None else st.integers(int(8 * f.min), int(8 * f.max))
            )
            return eighths.map(lambda number: number / 8)
        if found is Form.OCTETS:
            size = max((member.kind.width or 0) // 8 for member in kind.fields)
            return st.binary(min_size=size, max_size=size).map(bytes.hex)
        if isinstance(kind, m.Flags):
            words = [v.text for v in kind.values]
            return st.sets(st.sampled_from(words)).map(lambda chosen: [w for w in words if w in chosen])
        if isinstance(kind, m.Enumeration):
            return st.sampled_from([v.text for v in kind.values])
        least, greatest = number_range(kind)
        low = least if f.min is None else f.min
        high = greatest if f.max is None else f.max
        return st.integers(low, high) | st.sampled_from([low, high])

    def initial(self, f: m.Field, found: Form) -> Any:
        """Returns a field's initial value, in the form that it has in a document."""
        given = f.init_val if f.init_val is not None else f.kind.init_val
        if found is Form.BY_HAND:
            return self.subject.by_hand[f.kind.c_name][1]
        if found is Form.DOUBLE:
            return float(given or 0)
        if found is Form.OCTETS:
            return "00" * max((member.kind.width or 0) // 8 for member in f.kind.fields)
        if isinstance(f.kind, m.Flags):
            return [v.text for v in f.kind.values if v.c_name in (given or "").split(" | ")]
        if isinstance(f.kind, m.Enumeration):
            number = self.subject.constants.get(given or "", given or "0")
            known = (v.text for v in f.kind.values if number in (v.c_name, str(v.value), v.value))
            return next(known, None)
        if found is Form.NUMBER:
            if given in self.subject.constants:
                return self.subject.constants[given]
            number = (given or "0").rstrip("uUlL")
            return number_range(f.kind)[1] - int(number[1:], 0) if number[0] == "~" else int(number, 0)
        return {Form.BOOL: given == "true"}.get(found)


def number_range(kind: m.Type) -> tuple[int, int]:
    if isinstance(kind, m.Number):
        return kind.range or (0, (1 << 64) - 1)
    signed = isinstance(kind, m.Builtin) and kind.signed
    return (-(1 << 31), (1 << 31) - 1) if signed else (0, (1 << 32) - 1)


__all__ = ["Documents", "Driver", "Form", "Subject", "build", "canonical", "form"]
