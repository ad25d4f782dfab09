# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library reads each file of the corpus as `xl create --dryrun` does. Then it writes the configuration to
a file. When it reads this file, it gets the same configuration."""

from __future__ import annotations

from pathlib import Path

import aioxen
import pytest
from xl_support import HERE, HOST, Xl, of_xl, ours

CORPUS = sorted((HERE / "corpus").glob("*.cfg"))

pytestmark = pytest.mark.filterwarnings("ignore::aioxen.XlFileWarning")


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_is_read_as_xl_reads_it(xl: Xl, file: Path) -> None:
    text = file.read_text()
    expected = of_xl(xl.ask(text), "\nuuid" in text)
    assert expected
    assert ours(aioxen.load(file, host=HOST)) == expected
    assert ours(aioxen.load(file, host=HOST, strict=False)) == expected


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_what_is_written_is_read_alike(xl: Xl, file: Path, tmp_path: Path) -> None:
    config = aioxen.load(file, host=HOST)
    copy = tmp_path / "copy.cfg"
    aioxen.dump(config, copy)
    assert ours(aioxen.load(copy, host=HOST)) == ours(config)
    text = copy.read_text()
    assert of_xl(xl.ask(text), "\nuuid" in text) == ours(config)


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 60
