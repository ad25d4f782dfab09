# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that print files for other programs: completion for a shell, unit for systemd."""

from __future__ import annotations

from importlib.resources import files

import click
from click.shell_completion import get_completion_class

from aioxen.cli.core import COMMANDS

REGISTRATION = "compdef _aioxen_completion aioxen;"
LOADED = """\
compdef _aioxen_completion aioxen
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _aioxen_completion "$@"
fi
"""
"""A line that click 8.1.3 writes for zsh, and the text that replaces it. zsh runs the file at the first Tab.
click's line only registers the function, so the first Tab would complete nothing."""

UNITS = {"guest": "aioxen-guest@.service", "devd": "aioxen-devd.service"}


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Prints a shell's completion of commands, options and names of domains.

    \b
    bash: aioxen completion bash >/usr/share/bash-completion/completions/aioxen
    zsh:  aioxen completion zsh >/usr/share/zsh/vendor-completions/_aioxen
    fish: aioxen completion fish >~/.config/fish/completions/aioxen.fish
    """
    from aioxen.cli.app import app

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(app, {}, "aioxen", "_AIOXEN_COMPLETE").source().replace(REGISTRATION, LOADED))


@click.command("unit")
@click.argument("what", type=click.Choice(tuple(UNITS)), default="guest")
def unit(what: str) -> None:
    """Prints a unit for systemd. `guest` (the default) is a template, which runs the guest of
    /etc/xen/NAME.cfg; `devd` runs `aioxen devd` in a driver domain.

    \b
    aioxen unit >/etc/systemd/system/aioxen-guest@.service
    systemctl daemon-reload
    systemctl enable --now aioxen-guest@NAME
    """
    click.echo(files("aioxen.cli").joinpath(UNITS[what]).read_text(), nl=False)


COMMANDS |= {"completion": completion, "unit": unit}
