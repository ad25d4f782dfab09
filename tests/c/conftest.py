# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collects sim/ only where the simulator runs, since its tests start simulated worlds."""

import os

collect_ignore = [] if "AIOXEN_SIM_DIR" in os.environ else ["sim"]
