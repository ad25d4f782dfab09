# SPDX-License-Identifier: LGPL-2.1-or-later
"""Passes the log messages of the C library to the logger "aioxen" of Python's module logging.

logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(operation)s %(domid)s: %(message)s")

The C library may log on any of its threads. It only puts the messages into a bounded queue, and never waits
for Python. The event loop takes them from there.

Each record has these fields besides logging's own: `operation`, the name of the operation or None; `domid` or
None; `source`, which is "libxl" or the name of the part of Xen's libraries that has logged the message; and
`errno` or None.
"""

from __future__ import annotations

import logging
import time
import traceback

from aioxen import _values as v
from aioxen._native import ffi, lib

logger: logging.Logger = logging.getLogger("aioxen")
logger.addHandler(logging.NullHandler())

# The levels of Xen's libraries, by their numbers in xentoollog.h: debug, verbose, detail, progress, info,
# notice, warn, error, critical.
LEVELS = {
    1: logging.DEBUG,
    2: logging.DEBUG,
    3: logging.DEBUG,
    4: logging.INFO,
    5: logging.INFO,
    6: logging.INFO,
    7: logging.WARNING,
    8: logging.ERROR,
    9: logging.CRITICAL,
}
NOTHING = 10  # A level of Xen's libraries above all others.
CAPACITY = 4096
TURN_SECONDS = 0.001
NO_DOMID = 0xFFFFFFFF


def lowest_level() -> int:
    """Returns the lowest level of Xen's libraries that some handler of the program may want."""
    current: logging.Logger | None = logger
    while current is not None and all(isinstance(h, logging.NullHandler) for h in current.handlers):
        current = current.parent if current.propagate else None
    if current is None:
        return NOTHING
    return next((xen for xen, python in LEVELS.items() if logger.isEnabledFor(python)), NOTHING)


class LogQueue:
    """The C queue of one context's messages. Its methods may be called in any thread, one at a time."""

    def __init__(self) -> None:
        out = ffi.new("libxl_log_queue **")
        self._level = lowest_level()
        self.rc: int = lib.libxl_log_queue_alloc(out, self._level, CAPACITY)
        """The error code of the attempt to make the queue; 0: there is a queue."""
        self._c = out[0]
        self.c_logger: v.CData = ffi.NULL if self.rc else lib.libxl_log_queue_logger(self._c)

    @property
    def fd(self) -> int:
        """The descriptor that is readable while messages are queued."""
        return int(lib.libxl_log_queue_fd(self._c))

    def update_level(self) -> None:
        """Sets the level of the C queue to the level that the program's configuration of logging needs
        now."""
        level = lowest_level()
        if level != self._level and self._c:
            self._level = level
            lib.libxl_log_queue_set_level(self._c, level)

    def deliver(self, seconds: float = TURN_SECONDS) -> bool:
        """Passes queued messages to the logger, for `seconds` at most. Returns whether messages are left."""
        self.update_level()
        until = time.monotonic() + seconds
        while self._c and (message := lib.libxl_log_queue_take(self._c)):
            try:
                self._pass_on(message)
            except Exception:  # A filter of the program has failed. logging.Handler does the same.
                if logging.raiseExceptions:
                    traceback.print_exc()
            finally:
                lib.libxl_log_message_free(message)
            if time.monotonic() > until:
                return True
        if self._c and (dropped := lib.libxl_log_queue_dropped(self._c)):
            extra = {"operation": None, "domid": None, "source": "aioxen", "errno": None}
            logger.warning("%d log messages were dropped, because the queue was full", dropped, extra=extra)
        return False

    def close(self) -> None:
        """Passes the messages that are left to the logger, and frees the queue. The context that fills the
        queue must have been freed. A second call does nothing."""
        self.deliver(float("inf"))
        c, self._c = self._c, ffi.NULL
        lib.libxl_log_queue_free(c)

    def abandon(self) -> int:
        """Gives up the queue in a forked child, because another thread of the parent may have locked it.
        Returns the queue's descriptor, which the caller closes."""
        fd, self._c = self.fd, ffi.NULL
        return fd

    def _pass_on(self, message: v.CData) -> None:
        level = LEVELS.get(message.level, logging.ERROR)
        if not logger.isEnabledFor(level):
            return
        extra = {
            "operation": python_name(v.get_optional_string(message.operation)),
            "domid": None if message.domid == NO_DOMID else message.domid,
            "source": v.get_string(message.source),
            "errno": None if message.errnoval < 0 else message.errnoval,
        }
        text = v.get_string(message.text)
        record = logger.makeRecord(logger.name, level, "(libaioxen)", 0, text, (), None, extra=extra)
        # The record is created later than the message was logged. `late` is the difference, in seconds.
        late = record.created - message.time_ns / 1e9
        record.created -= late
        record.relativeCreated -= late * 1000
        record.msecs = message.time_ns // 1_000_000 % 1000 + 0.0
        logger.handle(record)


_python_names: dict[str, str] = {}


def python_name(operation: str | None) -> str | None:
    """Returns the name in Python of an operation, by its name in C: domain_create for domain_create_new."""
    if operation is None:
        return None
    if not _python_names:
        from aioxen import _operations
        from aioxen._spec import CffiSpec

        for spec in vars(_operations).values():
            if isinstance(spec, CffiSpec):
                _python_names[spec.c_name.removeprefix("libxl_")] = spec.name
    return _python_names.get(operation, operation)


def refresh() -> None:
    """Reads the configuration of logging again.

    A context does this when it is created, when the event loop first uses it, and whenever it delivers a
    message. A program that lowers the level at another time calls this function afterwards.
    """
    from aioxen._base import _contexts

    for context in list(_contexts):
        context._log.update_level()
