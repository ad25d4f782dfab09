# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds what the virtual machine boots: hypervisor, dom0 kernel and dom0's root as an initramfs."""
