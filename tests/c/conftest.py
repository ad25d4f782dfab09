# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is in sim/ makes worlds of its own: it runs where there is the simulator."""

import os

collect_ignore = [] if "AIOXEN_SIM_DIR" in os.environ else ["sim"]
