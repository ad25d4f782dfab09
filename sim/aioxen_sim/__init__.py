# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes worlds: a simulated hypervisor and the daemons of a dom0, isolated in namespaces."""
