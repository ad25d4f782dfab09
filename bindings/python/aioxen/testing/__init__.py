# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of programs that use aioxen, with pytest, on a simulated Xen machine or on a real one.

plugin.py has the options --xen-sim and --xen-vm, the fixtures xen_sim and xen_vm, and the marker xen_fault.
machine.py has the values of the fixtures.
"""

from aioxen.testing.machine import Fault as Fault
from aioxen.testing.machine import Machine as Machine
from aioxen.testing.machine import Simulator as Simulator

__all__ = ["Fault", "Machine", "Simulator"]
