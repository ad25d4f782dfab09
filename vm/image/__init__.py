# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the files that the virtual machine boots. They are the hypervisor, dom0's kernel, and dom0's root
as an initramfs."""
