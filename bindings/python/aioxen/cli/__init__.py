# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line `aioxen`. It uses only the public interface of the package.

core.py runs a command: it opens the context, handles signals, and returns the exit status. parallel.py acts
on many domains at once, select.py has their arguments, output.py and progress.py print, exits.py has the exit
statuses. Each other module has the commands of one group. app.py lists all commands.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line with the arguments of the process."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(f"aioxen: the Python package {error.name!r} is missing: pip install 'aioxen[cli]'")
    from aioxen.cli.app import app

    app(prog_name="aioxen")
