# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the library and its peers."""
