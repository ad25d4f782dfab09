# SPDX-License-Identifier: LGPL-2.1-or-later
"""The parts of the example supervisor.py.

guest     one guest: its lives, what its policies say, and its stop
memory    the balancing of memory between guests
fleet     all guests, their tasks, and what they report
api       requests and answers in JSON on a unix socket
"""
