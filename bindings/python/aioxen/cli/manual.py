# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the manual page aioxen(1) from the commands: `python -m aioxen.cli.manual >aioxen.1`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import cleandoc

import click

from aioxen.cli.app import MODULES, app
from aioxen.cli.core import common
from aioxen.cli.exits import KINDS

HEADINGS = {
    "listing": "What there is",
    "create": "Creating domains",
    "run": "Supervising guests",
    "lifecycle": "Lives of domains",
    "saved": "Saved domains",
    "migration": "Moving guests to other machines",
    "console": "Consoles",
    "events": "Events",
    "devices": "Disks and network interfaces",
    "pci": "PCI devices",
    "usb": "USB controllers and USB devices",
    "resources": "Memory and virtual processors",
    "signals": "Other requests",
    "cdrom": "CD drives",
    "models": "Device models",
    "host": "Cpupools and messages of the hypervisor",
    "stats": "Statistics",
    "operations": "Operations",
    "store": "xenstore",
    "observe": "Observing",
    "devd": "Driver domains",
    "fleet": "Many hosts",
    "integration": "Shells and systemd",
}

DESCRIPTION = """\
.B aioxen
controls Xen domains. A command with a name of
.BR xl (1)
does what that command of xl does, with the same arguments. The other commands have names of their own.
.PP
.I DOMAIN
is a domid, a name or a UUID. Digits are a domid. A command that takes several domains works on all of them at
once. The failure of one does not stop the others.
.PP
Results go to standard output, all else to standard error. While operations run, their phases are shown: live
on a terminal, as lines elsewhere. There are no colours without a terminal, or if
.B NO_COLOR
is set.
.PP
Ctrl\\-C and SIGTERM stop a command in an orderly way: a creation is undone, a request that a guest has not
acknowledged is withdrawn. Then Xen is asked what each domain is now, and the answer is printed. A second
signal ends the command at once.
"""

JSON = """\
With
.BR \\-\\-json ,
each result is one JSON object on a line. A value of the library has the form of its JSON Schema. The result
of an action has the members
.IR domain ,
.IR domid ,
.I uuid
and
.IR outcome ,
that of a failure
.IR domain ,
.IR error ,
.I message
and
.IR exit ,
the exit status for this domain.
"""

ENVIRONMENT = (
    ("NO_COLOR", "If set and not empty, there are no colours."),
    (
        "NOTIFY_SOCKET",
        "The socket of the service manager, which run tells about its state; see sd_notify(3).",
    ),
)

FILES = (
    ("/etc/xen/xl.conf", "The defaults of the host for files of guests."),
    ("/var/log/xen/aioxen-NAME.log", "The log of the supervisor that create and start leave."),
    ("/var/lib/xen/dump", "The memory of guests with an action coredump-*."),
    ("/run/aioxen", "Sockets with which commands list each other's operations."),
)


def escaped(text: str) -> str:
    """Returns text escaped for roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    return f"\\&{text}" if text[:1] == "." else text


def paragraphs(text: str) -> str:
    """Returns the text of a command's help. A paragraph after a line of \\b keeps its lines."""
    made = []
    for part in cleandoc(text).split("\n\n"):
        if part.startswith("\b"):
            lines = part.splitlines()[1:]
            made.append(".nf\n" + "".join(f"{escaped(line)}\n" for line in lines) + ".fi\n")
        else:
            made.append(escaped(" ".join(part.split())) + "\n")
    return ".PP\n".join(made)


def options(command: click.Command, left_out: set[str]) -> Iterator[str]:
    """Yields the items of a command's options."""
    for option in command.params:
        if isinstance(option, click.Option) and option.name not in left_out:
            record = option.get_help_record(click.Context(command))
            if record is not None:
                names, text = record
                yield f".TP\n.B {escaped(names)}\n{escaped(text)}\n"


def commands(group: click.Group, names: Iterator[str] | tuple[str, ...], path: str) -> Iterator[str]:
    """Yields the text of commands."""
    shared = {option.name or "" for option in common_options().params}
    for name in names:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, tuple(command.commands), f"{path}{name} ")
            continue
        pieces = [p for p in command.collect_usage_pieces(click.Context(command)) if p != "[OPTIONS]"]
        has_own = any(isinstance(p, click.Option) and p.name not in shared for p in command.params)
        usage = " ".join([path + name, *(["[OPTIONS]"] if has_own else []), *pieces])
        yield f".SS {escaped(usage)}\n{paragraphs(command.help or '')}" + "".join(options(command, shared))


def common_options() -> click.Command:
    """Returns a command that has only the options of every command."""
    return click.command("")(common(lambda: None))


def page() -> str:
    """Returns the manual page."""
    parts = [
        '.\\" SPDX-License-Identifier: LGPL-2.1-or-later\n.TH AIOXEN 1 "" aioxen "aioxen manual"\n',
        ".SH NAME\naioxen \\- control Xen domains\n",
        ".SH SYNOPSIS\n.B aioxen\n[\\fB\\-v\\fR] \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n",
        f".SH DESCRIPTION\n{DESCRIPTION}",
        ".SH OPTIONS BEFORE THE COMMAND\n" + "".join(options(app, {"help"})),
        ".SH OPTIONS OF EVERY COMMAND\n" + "".join(options(common_options(), {"help"})),
        ".TP\n.B \\-h, \\-\\-help\nShow the help of the command.\n",
    ]
    for module, names in MODULES.items():
        parts.append(f".SH {HEADINGS[module].upper()}\n" + "".join(commands(app, names, "")))
    statuses = sorted(KINDS, key=lambda kind: kind.code)
    rows = [(str(int(kind.code)), kind.meaning) for kind in statuses]
    rows.append(("128 + N", "Signal N has stopped the command: 130 for Ctrl-C, 143 for SIGTERM."))
    for heading, items in ("EXIT STATUS", rows), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES):
        parts.append(f".SH {heading}\n")
        parts += (f".TP\n.B {escaped(name)}\n{escaped(text)}\n" for name, text in items)
    parts.append(f".SH JSON\n{JSON}")
    parts.append(".SH SEE ALSO\n.BR xl (1),\n.BR xl.cfg (5),\n.BR aioxen (7)\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
