# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one factor by which the tests' time limits are larger than what an idle machine needs.

A time limit ends a test that hangs; no test is about its length. `python3 tests/limits.py SECONDS` prints the
scaled limit, for tests/run.
"""

import os
import sys

FACTOR = float(os.environ.get("AIOXEN_TEST_FACTOR", "4"))
"""4 allows for a machine with four times as much to do. tests/c/test_c.py passes it to the C programs."""


def scaled(seconds: float) -> float:
    """A time limit in seconds, from what an idle machine needs at most."""
    return seconds * FACTOR


if __name__ == "__main__":
    print(f"{scaled(float(sys.argv[1])):g}")
