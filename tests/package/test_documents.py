# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documents at the top of the repository agree with its contents."""

from __future__ import annotations

import re

import pytest
from package_support import ROOT, output, version

TOP = sorted(path.name for path in ROOT.glob("*.md"))


def test_they_are_there() -> None:
    assert {"CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"} <= set(TOP)


@pytest.mark.parametrize("name", TOP)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    titles = {
        re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, title = link.partition("#")
        assert link.startswith("https://") or not path or (ROOT / path).exists(), link
        assert path or title in titles, link


def test_the_readme_names_the_others() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in TOP if name != "README.md" and f"({name})" not in text] == []


def test_the_changelog_begins_with_this_version() -> None:
    titles = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert titles[0].removesuffix(" (unreleased)") == version()


def test_the_version_is_in_one_place() -> None:
    listed = output("git", "grep", "-lF", f'"{version()}"').splitlines()
    assert listed == ["pyproject.toml"]


def test_directories_of_the_layout_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text().split("\n## Layout\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert rows
    for path in re.findall(r"`([^`]+)`", "".join(rows)):
        assert (ROOT / path).is_dir(), path
    layers = {f"`{path.parent.name}/{path.name}/`" for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert {layer for layer in layers if layer not in text} == set()


def test_targets_that_are_named_exist() -> None:
    files = output("git", "ls-files", "*Makefile", "*Makefile.inc").splitlines()
    text = "".join((ROOT / file).read_text() for file in files)
    for name in TOP:
        for target in re.findall(r"^    make ([a-z-]+)\b", (ROOT / name).read_text(), re.M):
            assert re.search(rf"^{target}:", text, re.M), f"{name}: make {target}"


PLACES = {
    "c": "tests/c/{}.c",
    "differential": "tests/differential/{}.py",
    "gen": "tests/gen/{}.idl",
    "json": "tests/json/{}.py",
    "layers": "tests/layers/{}.py",
    "libxl": "tests/libxl/{}.py",
    "model": "tests/model/test_model.py",
    "package": "tests/package/{}.py",
    "python": "tests/python/{}.py",
    "soak": "tests/soak/{}.py",
    "stress": "tests/c/{}.py",
    "fuzz": "tests/fuzz/{}.c",
}
WHOLE_FILES = {"gen", "fuzz"}


def test_tests_that_reliability_md_names_exist() -> None:
    text = (ROOT / "docs/reliability.md").read_text()
    named = set(re.findall(rf"`({'|'.join(PLACES)}):([a-z0-9_/]+:)?(\w+|wrong/\w+)`", text))
    assert len(named) > 100
    missing = []
    for kind, folder, test in named:
        place = ROOT / PLACES[kind].format(test if kind in WHOLE_FILES else folder.rstrip(":"))
        known = place.read_text() if place.exists() else ""
        form = {"c": rf"BODY\({test}\b", "model": rf'"{test}"'}.get(kind, rf"def {test}\(")
        if not known or not (kind in WHOLE_FILES or re.search(form, known)):
            missing.append(f"{kind}:{folder}{test}")
    assert missing == []
