# SPDX-License-Identifier: LGPL-2.1-or-later
"""The factor between the time that an idle machine needs and the time limits of all tests.

A time limit only ends a test that hangs. No test asserts how long something takes. tests/run calls
`python3 tests/limits.py SECONDS`, which prints the scaled limit.
"""

import os
import sys

FACTOR = float(os.environ.get("AIOXEN_TEST_FACTOR", "4"))
"""The factor. With 4, a test may take four times as long as on an idle machine. test_c.py passes the
factor to C programs."""


def scaled(seconds: float) -> float:
    """Returns a time limit in seconds. `seconds` is the longest time that an idle machine needs."""
    return seconds * FACTOR


if __name__ == "__main__":
    print(f"{scaled(float(sys.argv[1])):g}")
