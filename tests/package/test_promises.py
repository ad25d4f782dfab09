# SPDX-License-Identifier: LGPL-2.1-or-later
"""Promises that can be checked on the built library. docs/reliability.md lists the tests of other
promises."""

from __future__ import annotations

import re

from package_support import BUILD, LIBRARY, ROOT, output


def test_every_operation_has_ao_how_and_only_progress_behind_it() -> None:
    header = (BUILD / "gen/include/_libxl_operations.h").read_text()
    prototypes = re.findall(r"^int (libxl_\w+)\(([^;]*)\);", header, re.M | re.S)
    assert len(prototypes) > 10
    how = "const libxl_asyncop_how *ao_how"
    endings = (how, f"{how}, const libxl_asyncprogress_how *aop_console_how")
    assert [name for name, inputs in prototypes if not " ".join(inputs.split()).endswith(endings)] == []


def test_the_numbers_of_events_and_of_async_inprogress_stay() -> None:
    """Programs that were compiled with libxl's headers use the event numbers 1 to 5."""
    header = (BUILD / "gen/include/_libxl_types.h").read_text()
    numbers = dict(re.findall(r"LIBXL_EVENT_TYPE_(\w+) = (\d+)", header))
    theirs = {"DOMAIN_SHUTDOWN": "1", "DOMAIN_DEATH": "2", "DOMAIN_DESTROY": "2", "DISK_EJECT": "3"}
    theirs |= {"OPERATION_COMPLETE": "4", "DOMAIN_CREATE_CONSOLE_AVAILABLE": "5"}
    assert {name: numbers.pop(name) for name in theirs} == theirs
    assert min(int(number) for number in numbers.values()) == 64
    assert "ERROR_ASYNC_INPROGRESS = -14," in header


def test_what_libxl_has_not_is_announced() -> None:
    """A program can check by #ifdef whether it is compiled with this library, and which additions the library
    has."""
    header = "".join((ROOT / "src/include" / name).read_text() for name in ("libxl.h", "libxl_have.h"))
    announced = set(re.findall(r"^#define LIBXL_HAVE_(\w+)", header, re.M))
    additions = (
        "AIOXEN AO_ABORT AO_LIMIT AO_LIST CTX_FD DOMAIN_LIFECYCLE EVENT_IS_FOR EVENT_TAKE EVENT_WAIT_LIMIT"
    )
    assert set(additions.split()) - announced == set()


def test_no_state_of_the_process_is_changed() -> None:
    """The library sets no signal, exit or fork handler, and changes no limits, directory or environment."""
    used = {line.split()[-1].partition("@")[0] for line in output("nm", "-D", "-u", LIBRARY).splitlines()}
    assert "posix_spawnp" in used
    # The functions that set signal handlers.
    forbidden = "sigaction signal bsd_signal sysv_signal sigset signalfd alarm setitimer"
    forbidden += " atexit on_exit at_quick_exit __cxa_atexit pthread_atfork __register_atfork exit _exit"
    forbidden += " fork vfork system popen setenv putenv unsetenv chdir umask setrlimit setlocale"
    assert used & set(forbidden.split()) == set()


def test_the_only_variable_numbers_the_threads() -> None:
    """The library has one writable global variable, `threads`, which counts the threads. All other state
    belongs to a context or to a thread."""
    symbols = [line.split() for line in output("objdump", "-t", LIBRARY).splitlines()]
    writable = {line[-1] for line in symbols if {".data", ".bss"} & set(line) and "O" in line}
    compilers = {"completed.0", "__dso_handle", "__TMC_END__"}
    silent_logger = {"silent"}  # The program never writes this variable, but xentoollog's type is not const.
    assert writable - compilers == {"threads"} | silent_logger
