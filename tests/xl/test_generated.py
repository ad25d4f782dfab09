# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library reads random files as xl does. The files that the library writes from these configurations have
the same meaning."""

from __future__ import annotations

import aioxen
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keys import files
from xl_support import HOST, Xl, of_xl, ours

pytestmark = pytest.mark.filterwarnings("ignore::aioxen.XlFileWarning")


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(files())
def test_is_read_as_xl_reads_it(xl: Xl, text: str) -> None:
    expected = of_xl(xl.ask(text), "uuid =" in text)
    assert expected
    config = aioxen.loads(text, strict=False, host=HOST)  # Strict reading refuses things that xl ignores.
    assert ours(config) == expected
    written = aioxen.dumps(config)
    assert of_xl(xl.ask(written), "uuid =" in written) == expected, written
    assert ours(aioxen.loads(written, host=HOST)) == expected, written


TOKENS = [
    "a",
    "vcpus",
    "=",
    "+=",
    "'x'",
    '"y"',
    "3",
    "0x1f",
    "[",
    "]",
    ",",
    ";",
    "\n",
    " ",
    "#c",
    "'",
    "\\n",
    "'\\t'",
    "-",
    "A",
    ".",
]


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join))
def test_the_grammar_is_that_of_xl(xl: Xl, text: str) -> None:
    """The library and xl find syntax errors in the same texts. xl misses wrong characters at the very end."""
    base = "name = 'g'\nkernel = 'k'\n"
    text += "\n"
    refused = "config parsing error" in xl.ask(base + text).said
    if "+=" in text and not refused:
        return  # xl carries out += even for unknown keys, and may refuse such a statement.
    try:
        aioxen.loads(base + text, strict=False, host=HOST)
        wrong = ""
    except aioxen.XlFileError as error:
        wrong = str(error)
    assert bool(wrong) == refused or "vcpus" in text, wrong


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda octets: octets.decode("latin-1")))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    file, line = "x.cfg", 0
    try:
        aioxen.loads(text.replace("\0", ""), file=file)
    except aioxen.XlFileError as error:
        file, line = error.file, error.line
    assert file in ("x.cfg", "")
    assert line <= text.count("\n") + 1
