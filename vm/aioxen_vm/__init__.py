# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs commands in the dom0 of a real Xen inside QEMU."""
