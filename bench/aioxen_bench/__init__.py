# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measuring the library beside its peers."""
