# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every exported function has a correct manual page, and the examples in the pages compile."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from package_support import BUILD, INCLUDES, ROOT, declared, exported, headers, output

HAND_WRITTEN = sorted((ROOT / "docs/man").glob("*.[37]"))
GENERATED = sorted((BUILD / "gen/man/man3").glob("*.3"))
PAGES = [page for page in [*HAND_WRITTEN, *GENERATED] if not page.read_text().startswith(".so ")]
FUNCTIONS = [page for page in HAND_WRITTEN if page in PAGES and page.suffix == ".3"]
ESCAPES = {"\\-": "-", "\\(aq": "'", "\\(dq": '"', "\\(ha": "^", "\\(ti": "~", "\\e": "\\", "\\&": ""}


def section(page: Path, title: str) -> str:
    found = re.search(rf"^\.SH {title}\n(.*?)(?=^\.SH |\Z)", page.read_text(), re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def plain(roff: str) -> str:
    """Returns lines of code in the form that man shows."""
    text = re.sub(r"^\.(?:nf|fi)\n", "", roff.replace("\n.sp\n", "\n\n"), flags=re.MULTILINE)
    return re.sub(r"\\-|\\\(\w\w|\\e|\\&", lambda mark: ESCAPES[mark[0]], text)


def examples(page: Path) -> list[str]:
    return [plain(e) for e in re.findall(r"^\.EX\n(.*?)^\.EE$", section(page, "EXAMPLES"), re.DOTALL | re.M)]


def tokens(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s]", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)))


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the manual pages, in the layout that `make install` makes."""
    folder = tmp_path_factory.mktemp("man")
    for number in "37":
        (folder / f"man{number}").mkdir()
    for page in [*HAND_WRITTEN, *GENERATED]:
        assert not (folder / f"man{page.suffix[1:]}" / page.name).exists(), page
        shutil.copy(page, folder / f"man{page.suffix[1:]}")
    return folder


def test_every_exported_function_has_a_page(manual: Path) -> None:
    public = {name for name, node in exported().items() if not node.startswith("AIOXEN_INTERNAL")}
    assert {name for name in public if not (manual / f"man3/{name}.3").is_file()} == set()


def test_a_page_that_names_another_is_named_there(manual: Path) -> None:
    for page in sorted((manual / "man3").iterdir()):
        if named := re.fullmatch(r"\.so (man3/\w+\.3)\n", page.read_text()):
            text = (manual / named[1]).read_text().replace("\\-", "-")
            assert re.search(rf"\b{page.stem}\b", text), f"{named[1]} does not name {page.stem}"


def test_pages_are_well_formed(manual: Path) -> None:
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    command = ["mandoc", "-Tlint", "-W", "warning", *sorted(manual.glob("man?/*"))]
    done = subprocess.run(command, cwd=manual, capture_output=True, text=True)
    # The pages have no date, because each build must make the same pages. They use .so, because some file
    # systems have no links.
    allowed = "missing date", ".so is fragile"
    assert [line for line in done.stdout.splitlines() if not any(text in line for text in allowed)] == []


def test_groff_sets_the_pages(manual: Path) -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    for page in PAGES:
        output("groff", "-man", "-ww", "-Tutf8", "-z", page, folder=manual)


@pytest.mark.parametrize("page", FUNCTIONS, ids=[page.stem for page in FUNCTIONS])
def test_a_page_says_everything(page: Path, tmp_path: Path) -> None:
    for title in "NAME", "SYNOPSIS", "DESCRIPTION", "THREADS", "EXAMPLES", "SEE ALSO", "HISTORY":
        assert section(page, title), title
    synopsis = tokens(plain(section(page, "SYNOPSIS")))
    if re.search(r"\b(?:int|\*) libxl_\w+ \(", synopsis) and " libxl_error_message (" not in synopsis:
        assert section(page, "RETURN VALUE"), "RETURN VALUE"
    devices = BUILD / "gen/include/_libxl_devices.h"
    text = tokens("\n".join(header.read_text() for header in [*headers(), devices]))
    for declaration in re.findall(r"[^;]*\blibxl_\w+ \([^;]*\) ;", re.sub(r"\{.*?\}", "", synopsis)):
        assert declaration.split("> ")[-1].strip() in text, declaration
    functions = {name for name in declared(tmp_path) if (ROOT / f"docs/man/{name}.3") == page}
    assert functions <= set(re.findall(r"libxl_\w+", section(page, "NAME")))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_examples_compile(page: Path, tmp_path: Path) -> None:
    for example in examples(page):
        source = tmp_path / "example.c"
        source.write_text(example)
        output("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *INCLUDES, source)


def test_every_operation_s_page_has_an_example() -> None:
    operations = re.findall(
        r"^int (libxl_\w+)\(", (BUILD / "gen/include/_libxl_operations.h").read_text(), re.M
    )
    assert operations
    for name in operations:
        assert any(f"{name}(" in e for e in examples(BUILD / f"gen/man/man3/{name}.3")), name


def test_links_lead_somewhere(manual: Path) -> None:
    for page in PAGES:
        for name, number in re.findall(
            r"^\.BR ((?:libxl_\w+|aioxen)) \((\d)\)", section(page, "SEE ALSO"), re.M
        ):
            assert (manual / f"man{number}/{name}.{number}").is_file(), f"{page.name}: {name}"
