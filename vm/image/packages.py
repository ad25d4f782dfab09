# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks up the Debian packages that are installed on this machine, and their dependencies."""

import subprocess
from collections.abc import Iterable

FIELDS = "${Package}\t${db:Status-Status}\t${Provides}\t${Pre-Depends}, ${Depends}\n"


def _names(relation: str) -> list[str]:
    """Returns the names of a dependency's alternatives: "a (>= 1) | b:any" gives a and b."""
    return [part.split("(")[0].strip().partition(":")[0] for part in relation.split("|")]


def with_dependencies(wanted: Iterable[str], prefixes: tuple[str, ...]) -> list[str]:
    """Returns the wanted packages and their direct and indirect dependencies that have one of the prefixes.

    Raises ValueError if a wanted package is not installed.
    """
    listing = subprocess.run(
        ["dpkg-query", "-W", "-f", FIELDS], check=True, text=True, capture_output=True
    ).stdout
    depends: dict[str, list[list[str]]] = {}
    providers: dict[str, str] = {}
    for line in listing.splitlines():
        name, status, provides, relations = line.split("\t")
        if status != "installed":
            continue
        depends[name] = [_names(relation) for relation in relations.split(",") if relation.strip()]
        providers |= {_names(provided)[0]: name for provided in provides.split(",") if provided.strip()}
    if missing := [name for name in wanted if name not in depends]:
        raise ValueError(f"not installed: {' '.join(missing)}")
    found, todo = set(wanted), list(wanted)
    while todo:
        for alternatives in depends[todo.pop()]:
            real = [name if name in depends else providers.get(name, "") for name in alternatives]
            installed = [name for name in real if name.startswith(prefixes)]
            if installed and not found & set(installed):
                found.add(installed[0])
                todo.append(installed[0])
    return sorted(found)
