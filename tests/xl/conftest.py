# SPDX-License-Identifier: LGPL-2.1-or-later
from collections.abc import Iterator

import pytest
from xl_support import Xl


@pytest.fixture(scope="session")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Xl]:
    with Xl(tmp_path_factory.mktemp("xl")) as xl:
        yield xl
