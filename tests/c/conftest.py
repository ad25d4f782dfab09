# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collects the tests of sim/ only if the simulator runs, because these tests start simulated machines."""

import os

collect_ignore = [] if "AIOXEN_SIM_DIR" in os.environ else ["sim"]
