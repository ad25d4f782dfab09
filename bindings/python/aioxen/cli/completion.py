# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command completion: prints the script with which a shell completes commands, options and domains."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from aioxen.cli.core import COMMANDS


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Prints the completion for a shell.

    \b
    bash: aioxen completion bash >/usr/share/bash-completion/completions/aioxen
    zsh:  aioxen completion zsh >/usr/share/zsh/vendor-completions/_aioxen
    fish: aioxen completion fish >~/.config/fish/completions/aioxen.fish
    """
    from aioxen.cli.app import app

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(app, {}, "aioxen", "_AIOXEN_COMPLETE").source())


COMMANDS["completion"] = completion
