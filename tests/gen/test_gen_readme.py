# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/README.md names every attribute, constructor and module, and its example works."""

from __future__ import annotations

import re
from pathlib import Path

from gen_support import ROOT, generate

from gen import attributes, language

README = (ROOT / "gen/README.md").read_text()


def named() -> set[str]:
    """Returns the attributes in the first column of the table. In the table, `_copy_fn` stands
    for `autogenerate_copy_fn`."""
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    return {f"autogenerate{name}" if name.startswith("_") else name for name in names}


def test_every_attribute_is_named() -> None:
    types = {name for kinds in attributes.TYPE.values() for name in kinds}
    known = types | {*attributes.FIELD, *language.OPERATION, *language.PHASE, *language.EVENT}
    assert known - named() == set()


def test_every_constructor_is_named() -> None:
    for constructor in language.Language().constructors():
        assert f"`{constructor}" in README or f"{constructor}(" in README


def test_the_example_works(tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example
    idl = tmp_path / "example.idl"
    idl.write_text(
        'Errors([(-3, "FAIL", "It failed."), (-5, "NOMEM", "No memory."), (-6, "INVAL", "Invalid."),'
        ' (-8, "TIMEDOUT", "Too late.")], common=["TIMEDOUT"])\n'
        + example[1]
        + 'Operation("thing_drop", doc="Drop it.", inputs=[("number", uint32, "Which.")], errors=["FAIL"],\n'
        '    abort="Not abortable: it is over at once.", speed="instant", since="0.1")\n'
    )
    done = generate(tmp_path / "out", idl)
    assert done.stderr == ""
    assert "int libxl_thing_make(" in (tmp_path / "out/include/_libxl_operations.h").read_text()


def test_every_module_is_named() -> None:
    modules = {p.stem for p in (ROOT / "gen").glob("*.py")} - {"__init__", "__main__"}
    assert {m for m in modules if f"`{m}`" not in README and f"`{m}.py`" not in README} == set()
