# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each file of the corpus gives the same configuration as `xl create --dryrun`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aioxen
import pytest
from xl_support import HERE, HOST, Xl, of_xl, ours

CORPUS = sorted((HERE / "corpus").glob("*.cfg"))


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Xl]:
    with Xl(tmp_path_factory.mktemp("xl")) as xl:
        yield xl


@pytest.mark.filterwarnings("ignore::aioxen.XlFileWarning")
@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_is_read_as_xl_reads_it(xl: Xl, file: Path) -> None:
    text = file.read_text()
    expected = of_xl(xl.ask(text), "uuid" in text)
    assert expected
    assert ours(aioxen.load(file, host=HOST)) == expected
    assert ours(aioxen.load(file, host=HOST, strict=False)) == expected


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 60
