# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads xl's configuration files for commands."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aioxen
from aioxen.cli.core import Session

XL_CONF = Path("/etc/xen/xl.conf")

T = TypeVar("T")


def read_config(
    session: Session, file: str | None, extra: Sequence[str] = (), strict: bool = False
) -> aioxen.DomainConfig:
    """Reads a domain's configuration. Warnings are printed.

    file: None: the configuration consists of `extra` alone.
    """
    host = _told(session, aioxen.load_conf, XL_CONF, strict=False) if XL_CONF.exists() else None
    if file is None:
        return _told(session, aioxen.loads, "", extra=extra, host=host, strict=strict)
    return _told(session, aioxen.load, file, extra=extra, host=host, strict=strict)


def _told(session: Session, read: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Calls a function that reads a file. Prints its warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        value = read(*arguments, **options)
    for warning in told:
        session.out.note(f"warning: {warning.message}")
    return value
