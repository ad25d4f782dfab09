# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions load(), loads(), dump() and dumps(), which read and write xl's configuration files,
xl.cfg(5)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

from aioxen import _values as v
from aioxen import errors
from aioxen._native import ffi, lib
from aioxen.types import DomainConfig, XlHost, XlMessage, XlMessages


class XlFileError(errors.InvalidError):
    """The exception for an error in a file in xl's form."""

    file: str
    """The name of the file; "statement N" for an element of `extra`."""

    line: int
    """The line of the first error, counted from 1. 0: the error concerns the whole file."""

    column: int
    """The column of the first error, in characters, counted from 1."""

    messages: list[XlMessage]
    """All errors and warnings, in the order of the text."""

    def __init__(self, message: str, messages: Sequence[XlMessage] = ()) -> None:
        super().__init__(message)
        self.messages = list(messages)
        first = next(
            (m for m in self.messages if m.error), XlMessage(file="", line=0, column=0, error=True, text="")
        )
        self.file, self.line, self.column = first.file, first.line, first.column


class XlFileWarning(UserWarning):
    """The warning about a setting in a file in xl's form that is deprecated or has no effect."""


def load(
    path: str | os.PathLike[str],
    *,
    strict: bool = True,
    extra: Sequence[str] = (),
    host: XlHost | None = None,
) -> DomainConfig:
    """Reads a configuration from a file in the form of xl.cfg(5). The file is opened with Python's open().

    strict: True: unknown keys, and other parts that xl ignores, are errors. False: they are warnings.

    extra: Further statements, such as 'memory = 512'. They replace the statements of the file that set the
    same keys.

    host: The defaults of the host for settings that the file does not have, from load_conf(). None: xl's
    defaults.

    Warns: XlFileWarning. Raises: XlFileError, with the place of the first error; OSError; TypeError.
    """
    with open(path, "rb") as file:
        return _read(file.read(lib.LIBXL_XL_MAX_SIZE + 1), os.fsdecode(path), strict, extra, host)


def loads(
    text: str | bytes,
    *,
    file: str = "<text>",
    strict: bool = True,
    extra: Sequence[str] = (),
    host: XlHost | None = None,
) -> DomainConfig:
    """Reads a configuration from a text in the form of xl.cfg(5). `file` is the file name in messages.

    The other arguments, the warnings and the errors are those of load().
    """
    octets = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    return _read(octets, file, strict, extra, host)


def dump(config: DomainConfig, path: str | os.PathLike[str]) -> None:
    """Writes a configuration to a file in the form of xl.cfg(5). xl and load() read the same configuration
    from the file. An existing file is replaced. After an InvalidError, TypeError or ValueError nothing has
    been written.

    Raises: InvalidError, with the path of a value that xl.cfg(5) cannot express; OSError; TypeError or
    ValueError for a value that C cannot represent.
    """
    text = dumps(config)
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)


def dumps(config: DomainConfig) -> str:
    """Converts a configuration to a text in the form of xl.cfg(5). Raises the errors of dump()."""
    from aioxen._json import FORMS  # The module is imported here because few programs need it.

    v.expect(config, DomainConfig, "config")
    keep: v.Keep = []
    c, text = ffi.new("libxl_domain_config *"), ffi.new("char **")
    FORMS[DomainConfig].put(c, config, "config", keep)
    if lib.libxl_domain_config_to_xl(c, text):
        raise errors.InvalidError(v.get_string(lib.libxl_error_message()))
    try:
        return v.get_string(text[0])
    finally:
        lib.free(text[0])


def load_conf(path: str | os.PathLike[str] = "/etc/xen/xl.conf", *, strict: bool = True) -> XlHost:
    """Reads the defaults of a host for load() from a file in the form of xl.conf(5). The field `nodes` of the
    result is empty.

    The errors and warnings are those of load().
    """
    from aioxen._json import FORMS  # The module is imported here because few programs need it.

    with open(path, "rb") as file:
        octets = file.read(lib.LIBXL_XL_MAX_SIZE + 1)
    host, messages = ffi.new("libxl_xl_host *"), ffi.new("libxl_xl_messages *")
    rc = lib.libxl_xl_host_from_conf(
        host, octets, len(octets), os.fsencode(path), 0 if strict else lib.LIBXL_XL_LENIENT, messages
    )
    try:
        _tell(rc, messages)
        value: XlHost = FORMS[XlHost].get(host)
        return value
    finally:
        lib.libxl_xl_messages_dispose(messages)
        lib.libxl_xl_host_dispose(host)


def _tell(rc: int, messages: v.CData) -> None:
    """Raises the error of a C function that has read a file, or shows the function's warnings."""
    from aioxen._json import FORMS

    refused = v.get_string(lib.libxl_error_message()) if rc else ""
    told = FORMS[XlMessages].get(messages).messages
    if rc:
        raise XlFileError(refused, told)
    for m in told:
        warnings.warn(XlFileWarning(f"{m.file}:{m.line}:{m.column}: {m.text}"), stacklevel=4)


def _read(octets: bytes, file: str, strict: bool, extra: Sequence[str], host: XlHost | None) -> DomainConfig:
    from aioxen._json import FORMS  # The module is imported here because few programs need it.

    if isinstance(extra, str):
        raise TypeError(f"extra: a list of strings is expected, not {extra!r}")
    keep: v.Keep = []
    statements = [ffi.new("char[]", _text(f"extra[{i}]", word)) for i, word in enumerate(extra)]
    c_host = ffi.NULL
    if host is not None:
        c_host = ffi.new("libxl_xl_host *")
        FORMS[XlHost].put(c_host, host, "host", keep)
    config, messages = ffi.new("libxl_domain_config *"), ffi.new("libxl_xl_messages *")
    rc = lib.libxl_domain_config_from_xl(
        config,
        octets,
        len(octets),
        _text("file", file),
        ffi.new("char *[]", [*statements, ffi.NULL]),
        c_host,
        0 if strict else lib.LIBXL_XL_LENIENT,
        messages,
    )
    try:
        _tell(rc, messages)
        value: DomainConfig = FORMS[DomainConfig].get(config)
        return value
    finally:
        lib.libxl_xl_messages_dispose(messages)
        lib.libxl_domain_config_dispose(config)


def _text(name: str, text: str) -> bytes:
    v.expect(text, str, name)
    octets = text.encode("utf-8", "surrogateescape")
    if b"\0" in octets:
        raise ValueError(f"{name}: a NUL character")
    return octets
