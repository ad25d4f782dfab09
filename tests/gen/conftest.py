# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest
from gen_support import FIXTURE, ROOT, generate

sys.path.insert(0, str(ROOT))  # This makes `import gen` work, however pytest was started.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="make the golden files what is generated")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of the files that are generated from the fixture."""
    out = tmp_path_factory.mktemp("generated")
    done = generate(out, *FIXTURE)
    assert done.returncode == 0, done.stderr
    return out
