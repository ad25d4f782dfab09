# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command aioxen-sim of the installed package, also `python3 -m aioxen_sim`."""

import sys


def main() -> None:
    try:
        from aioxen_sim.command import main
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("aioxen-sim needs click: pip install 'aioxen[test]', or apt install python3-click")
    main(prog_name="aioxen-sim")


if __name__ == "__main__":
    main()
