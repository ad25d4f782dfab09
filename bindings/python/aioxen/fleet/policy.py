# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent's policy: who may call which operation on which domains.

The policy is a file in TOML. A call that no rule allows is refused:

    [[allow]]
    callers = ["alice", "backup-*"]
    operations = ["@operator", "domain_create"]    # @viewer, @operator, @admin: the operations of a role
    domains = ["web-*"]                            # names of domains; without this line: all

A rule with `domains` does not allow operations that concern no domain.

A table [received] restricts the guests that other hosts send: their configuration may name only what one of
its patterns matches, as ReceivedAllowed says. Without the table it may name anything of this host:

    [received]
    disks = ["/dev/vg/*"]
    bridges = ["xenbr0"]
    scripts = []
    kernels = ["/usr/lib/kernels/*"]
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from aioxen._fleet_operations import OPERATIONS
from aioxen.fleet.roles import ROLES
from aioxen.types import ReceivedAllowed


class Rule:
    """One table [[allow]] of the policy's file."""

    def __init__(self, given: Any, where: str) -> None:
        if not isinstance(given, dict):
            raise ValueError(f"{where}: a table is expected")
        for name in given:
            if name not in ("callers", "operations", "domains"):
                raise ValueError(f"{where}.{name}: there is no such key")
        self.callers: list[str] = _texts(given.get("callers"), f"{where}.callers")
        self.domains: list[str] = _texts(given.get("domains", ["*"]), f"{where}.domains")
        self.operations: set[str] = set()
        for word in _texts(given.get("operations"), f"{where}.operations"):
            if word[:1] == "@" and word[1:] in ROLES:
                self.operations |= ROLES[word[1:]]
            elif word in OPERATIONS:
                self.operations.add(word)
            else:
                raise ValueError(f"{where}.operations: {word!r} is neither an operation nor a role")

    @property
    def any_domain(self) -> bool:
        return "*" in self.domains


def _texts(given: Any, where: str) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(text, str) for text in given):
        raise ValueError(f"{where}: an array of strings is expected")
    return given


def _received(given: Any, where: str) -> ReceivedAllowed:
    """Reads the table [received]. An empty array, like a missing key, allows nothing."""
    if not isinstance(given, dict):
        raise ValueError(f"{where}: a table is expected")
    for name in given:
        if name not in ("disks", "bridges", "scripts", "kernels"):
            raise ValueError(f"{where}.{name}: there is no such key")
    lists = {name: _texts(texts, f"{where}.{name}") for name, texts in given.items() if texts != []}
    return ReceivedAllowed(**lists)


class Policy:
    """The rules of one agent.

    received: What the configuration of a guest that another host sends may name. None: anything.
    """

    def __init__(self, rules: list[Rule], received: ReceivedAllowed | None = None) -> None:
        self.rules = rules
        self.received = received

    @classmethod
    def read(cls, path: str | Path) -> Policy:
        """Reads a file. Raises: OSError; ValueError, which names the key that is wrong."""
        try:
            given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path}: {error}") from None
        if unknown := given.keys() - {"allow", "received"}:
            raise ValueError(f"{path}: {min(unknown)}: there is no such key")
        rules = given.get("allow", [])
        if not isinstance(rules, list):
            raise ValueError(f"{path}: allow: an array of tables is expected")
        received = _received(given["received"], f"{path}: received") if "received" in given else None
        return cls([Rule(rule, f"{path}: allow[{i}]") for i, rule in enumerate(rules)], received)

    def allowed_domains(self, caller: str, operation: str) -> list[str]:
        """Returns patterns for the names of the domains on which the caller may call the operation. An empty
        list: no domain. A list with "*": all domains."""
        found: list[str] = []
        for rule in self.rules:
            if operation in rule.operations and any(fnmatchcase(caller, c) for c in rule.callers):
                found += rule.domains
        return found


def fits(name: str, patterns: list[str]) -> bool:
    """Returns whether one of the patterns fits a domain's name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
