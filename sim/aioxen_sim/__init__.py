# SPDX-License-Identifier: LGPL-2.1-or-later
"""Private worlds around the simulated hypervisor."""
