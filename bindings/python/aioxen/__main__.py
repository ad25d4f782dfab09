# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the command line: `python -m aioxen`."""

from aioxen.cli import main

if __name__ == "__main__":
    main()
