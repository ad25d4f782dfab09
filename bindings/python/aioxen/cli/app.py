# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command `aioxen`, which finds the other commands by name. A module is imported when one of its commands
is used, which keeps the start short."""

from __future__ import annotations

import importlib
import logging

import click

import aioxen
from aioxen.cli.core import COMMANDS, Session

LOG_FORM = "%(asctime)s %(levelname)s %(operation)s %(domid)s: %(message)s"

MODULES: dict[str, tuple[str, ...]] = {
    "listing": ("list", "domid", "domname", "vm-list", "uptime", "show", "info"),
    "create": ("create", "start"),
    "run": ("run", "supervise"),
    "lifecycle": ("pause", "unpause", "shutdown", "reboot", "destroy", "wait", "rename"),
    "saved": ("save", "restore"),
    "migration": ("migrate", "migrate-receive"),
    "console": ("console",),
    "events": ("events",),
    "devices": (
        "block-attach",
        "block-detach",
        "block-list",
        "network-attach",
        "network-detach",
        "network-list",
    ),
    "pci": (
        "pci-attach",
        "pci-detach",
        "pci-list",
        "pci-assignable-list",
        "pci-assignable-add",
        "pci-assignable-remove",
    ),
    "usb": ("usbctrl-attach", "usbctrl-detach", "usbdev-attach", "usbdev-detach", "usb-list"),
    "cdrom": ("cd-insert", "cd-eject"),
    "resources": ("mem", "mem-set", "mem-max", "vcpu-list", "vcpu-set", "vcpu-pin"),
    "signals": ("sysrq", "trigger", "dump-core"),
    "models": ("qmp", "qemu-monitor-command"),
    "host": ("cpupool", "dmesg"),
    "stats": ("stats", "top"),
    "operations": ("operations", "unfinished"),
    "store": ("store",),
    "observe": ("metrics", "trace"),
    "devd": ("devd",),
    "fleet": ("fleet",),
    "integration": ("completion", "unit"),
}
"""The commands of each module, in the order of the manual."""

ALIASES = {"usb-attach": "usbdev-attach", "usb-detach": "usbdev-detach"}
"""Second names of commands. They have the form of the commands for other devices. No help text lists them."""

_MODULE_OF = {name: module for module, names in MODULES.items() for name in names}


class App(click.Group):
    """Lists the commands of all modules, and imports a command's module at its first use.

    As with xl, the beginning of a name is enough, if no other command begins with it.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULE_OF)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        _, found, rest = super().resolve_command(ctx, args)
        return found.name if found else None, found, rest

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        name = ALIASES.get(name, name)
        if name not in _MODULE_OF:
            fitting = [known for known in _MODULE_OF if known.startswith(name)]
            if len(fitting) != 1:
                return ctx.fail(f"{name!r} may be {', '.join(fitting)}") if fitting else None
            name = fitting[0]
        importlib.import_module(f"aioxen.cli.{_MODULE_OF[name]}")
        return COMMANDS[name]


@click.group(cls=App, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(aioxen.__version__, prog_name="aioxen")
@click.option(
    "-v", "--verbose", count=True, help="Print the library's messages; twice: also those for debugging."
)
@click.option("--fleet", metavar="URL", envvar="AIOXEN_FLEET", help="Act on the hosts of a fleet.")
@click.option("--identity", type=click.Path(file_okay=False), metavar="DIR", envvar="AIOXEN_FLEET_IDENTITY",
              help="The directory with the certificates for --fleet.")  # fmt: skip
def app(verbose: int, fleet: str | None, identity: str | None) -> None:
    """Controls Xen domains. If xl has a command of the same name, the command does the same as xl's, with the
    same arguments.

    DOMAIN is a domid, a name or a UUID. `aioxen COMMAND --help` describes a command, aioxen(1) all of them.

    With --fleet, DOMAIN is HOST/DOMAIN. Both may be patterns: `*/web-*`.
    """
    Session.fleet, Session.identity = fleet, identity
    if verbose:
        logger = logging.getLogger("aioxen")
        logger.setLevel(logging.INFO if verbose == 1 else logging.DEBUG)
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(LOG_FORM, defaults={"operation": None, "domid": None}))
        logger.addHandler(handler)
