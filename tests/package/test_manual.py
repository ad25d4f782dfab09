# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pages of the manual and the programs of the READMEs work as they are typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import ROOT, blocks, commands, matches, run_page, run_script
from package_support import PYTHON, output

PAGES = sorted((ROOT / "docs/manual").glob("*.rst"))
WITH_CODE = [page for page in PAGES if blocks(page)]

GUIDES = {page.stem for page in PAGES if page.stem.startswith(("tutorial", "howto"))}


@pytest.mark.parametrize("page", WITH_CODE, ids=[page.stem for page in WITH_CODE])
def test_the_page_works(page: Path) -> None:
    run_page(page)


def test_every_guide_has_code() -> None:
    assert len(GUIDES) >= 10
    assert {page.stem for page in WITH_CODE} == GUIDES


def test_every_page_is_reachable() -> None:
    text = (ROOT / "docs/manual/index.rst").read_text()
    assert [page.stem for page in PAGES if page.stem != "index" and f"   {page.stem}\n" not in text] == []


def test_sessions_are_read() -> None:
    session = "$ one\na\n...\nb\n$ two \\\n> more\n"
    assert commands(session) == [("one", "a\n...\nb\n"), ("two \\\nmore", "")]
    assert matches("a\nx\ny\nb\n", "a\n...\nb\n")
    assert matches("domain 17\n", "domain ...\n")
    assert not matches("a\nb\n", "a\n")
    assert not matches("", "a\n")


GUEST = """cat >web.cfg <<'END'
name = "web"
type = "pv"
kernel = "kernel"
memory = 24
extra = "COMMAND"
END
"""
CREATED = GUEST.replace("COMMAND", "l").replace("web", "guest") + "aioxen create -e guest.cfg >created\n"
MAIN = "#include <err.h>\n#include <libxl.h>\n#include <string.h>\nint main(void)\n{\n"
EVENTS = "Domain(Shutdown|Dying|Gone).*\n"
README = "README.md"
PACKAGE = "bindings/python/README.md"
BUILD = "cc -xc -o built program $(pkg-config --cflags --libs aioxen)\n"
PROGRAMS = [
    (README, "python", 0, GUEST.replace("COMMAND", "p"), "python3 program", r"1 ended by poweroff\n"),
    (README, "c", 0, "", BUILD + "./built; aioxen list", r"(?s).*\nweb .*"),
    (PACKAGE, "python", 0, "", "python3 program", f"poweroff\n({EVENTS}){{3}}"),
    (PACKAGE, "python", 1, CREATED, "python3 program", r"0 Domain-0 running\n1 guest running\npoweroff\n"),
    (PACKAGE, "python", 2, "", "mv program test_it.py; pytest -q test_it.py", r"(?s).*1 passed.*"),
]  # fmt: skip
"""The programs in the documents. Each row: the document, the language, the program's number among those of
this language, the text to put before the program, the command that runs it, and the expected output."""
PATHS = {"examples/linux_guest.cfg": "web.cfg", "build/guest/tiny": "kernel", "/boot/guest": "kernel"}


@pytest.mark.parametrize(
    ("name", "language", "number", "before", "command", "expected"),
    PROGRAMS,
    ids=[f"{name}-{language}-{number}" for name, language, number, *_ in PROGRAMS],
)
def test_the_programs_of_a_readme_work(
    name: str, language: str, number: int, before: str, command: str, expected: str
) -> None:
    text = [block.text for block in blocks(ROOT / name) if block.language == language][number]
    for path, other in PATHS.items():
        text = text.replace(f'"{path}"', f'"{other}"')
    program = f"{MAIN}{text}return 0;\n}}\n" if language == "c" else text
    output = run_script(f"{before}cat >program <<'END OF PROGRAM'\n{program}END OF PROGRAM\n{command}\n")
    assert re.fullmatch(expected, output), output


def test_every_program_of_a_readme_is_run() -> None:
    for name in README, PACKAGE:
        found = [block.language for block in blocks(ROOT / name)]
        assert found == [language for document, language, *_ in PROGRAMS if document == name]


def test_sphinx_accepts_the_guides(tmp_path: Path) -> None:
    """Sphinx builds the guides, with their links and the search. The pages of the reference are empty here,
    because building them takes a minute; `make doc` builds them."""
    (tmp_path / "conf.py").write_bytes((ROOT / "docs/manual/conf.py").read_bytes())
    for page in PAGES:
        text = page.read_text() if page.stem in {"index", *GUIDES} else f"{page.stem}\n===========\n"
        (tmp_path / page.name).write_text(text)
    for made in "c", "python":
        (tmp_path / f"{made}.rst").write_text(f"{made}\n======\n")
    output(PYTHON, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", tmp_path, tmp_path / "html")
    assert (tmp_path / "html/search.html").exists()
    assert "howto-supervise" in (tmp_path / "html/searchindex.js").read_text()
