#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""xl_run.py SCRIPT: runs the commands of a script on this Xen machine, and prints what each of them does.

A script has one shell command in each line. Lines that begin with # are comments. The output is a JSON object
for each command: the command, its output, its exit status, and what it has changed in xenstore and in the
files of Xen's directories. Numbers that differ from run to run are replaced by words.

The library under test is that in the directory AIOXEN_DROPIN, if the variable is set. The commands run in the
present directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

FOLDERS = ("/var/lib/xen", "/run/xen", "/var/log/xen")
COMMAND_LIMIT_S = 20
STILL_S = 0.06
"""The effects of a command are complete after this time without a change. The process that monitors a domain
works on after xl has ended."""
STILL_LIMIT_S = 3.0

# A UUID that begins with eight times 1 is a script's. It stays, because a run may not see a domain that ends
# at once.
UUID = re.compile(r"(?!1{8})[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The words of libxl's log differ from those of this library's. A program's own messages are compared.
LOGGED = re.compile(r"^(?:libxl|libxl-save-helper|xc|aioxen): .*\n\n?", re.MULTILINE)
# What differs from run to run in the output: processor times, sizes of files, addresses, terminals.
VARIABLE = [
    (re.compile(r" +\d+\.\d(?=\s|$)", re.MULTILINE), " TIME"),
    (re.compile(r"(?<=info 0x3/0x0/)\d+"), "SIZE"),
    # xl and the process that monitors the domain act at the same time.
    (re.compile(r"(?<=has been )(?:destroyed|shut down, reason code [01])"), "STOPPED"),
    (re.compile(r"0x[0-9a-f]{6,}"), "ADDRESS"),
    (re.compile(r"/dev/pts/\d+"), "/dev/pts/N"),
    (re.compile(r"\[pid \d+\]"), "[pid N]"),
]
# Nodes whose value is a number that differs from run to run.
NUMBERS = re.compile(r".*/(start_time|ring-ref\d*|event-channel|port|tty|device-model-pid|hotplug-status-id)")

State = dict[str, str]


class Names:
    """Replaces values that differ from run to run by words. The same UUID gets the same word."""

    def __init__(self) -> None:
        self.uuids: dict[str, str] = {}

    def uuid(self, text: str) -> str:
        def word(match: re.Match[str]) -> str:
            return self.uuids.setdefault(match[0], f"UUID{len(self.uuids) + 1}")

        return UUID.sub(word, text)

    def output(self, text: str) -> str:
        text = self.uuid(LOGGED.sub("", text))
        for pattern, word in VARIABLE:
            text = pattern.sub(word, text)
        return text

    def node(self, path: str, value: str) -> str:
        return re.sub(r"\d+(\.\d+)?", "N", value) if NUMBERS.fullmatch(path) else self.uuid(value)


def nodes(names: Names) -> State:
    text = subprocess.run(["xenstore-ls", "-fp"], capture_output=True, text=True).stdout
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r'(\S+) = "(.*)"\s+\((.*)\)', line)
        if match:
            path = names.uuid(match[1])
            found[path] = f"{names.node(match[1], match[2])}  ({match[3]})"
    return found


def configuration(path: Path, names: Names) -> State:
    """Returns the members of a stored configuration, by the file's name and the member's path. Leaves out
    empty structs, because they say nothing."""
    name = names.uuid(str(path))
    found = {name: "(a configuration)"}

    def add(at: str, value: object) -> None:
        members = value.items() if isinstance(value, dict) else None
        if isinstance(value, list) and any(isinstance(element, dict) for element in value):
            members = ((str(i), element) for i, element in enumerate(value))
        if members is None:
            found[at] = names.uuid(json.dumps(value))
            return
        for key, member in members:
            add(f"{at}:{key}", member)

    text = path.read_bytes().rstrip(b"\0").decode() if path.exists() else ""
    add(name, json.loads(text or "{}"))
    return found


def content(path: Path, names: Names) -> str:
    try:
        octets = path.read_bytes()
    except OSError as error:
        return f"({error.strerror})"
    if path.suffix == ".log" or "/var/log/xen" in str(path):
        return "(a log)"
    return hashlib.sha256(octets).hexdigest()[:8] if len(octets) < 1 << 16 else "(long)"


def files(names: Names) -> State:
    found = {}
    for folder in FOLDERS:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_symlink():
                found[names.uuid(str(path))] = "(link)"
            elif path.name.endswith("libxl-json"):
                found |= configuration(path, names)
            elif path.is_file():
                found[names.uuid(str(path))] = content(path, names)
            elif not path.is_dir():
                found[names.uuid(str(path))] = "(special)"
    return found


def still(names: Names) -> tuple[State, State]:
    """Waits until nothing changes any more. Returns the nodes and the files."""
    end = time.monotonic() + STILL_LIMIT_S
    now = nodes(names), files(names)
    while True:
        time.sleep(STILL_S)
        before, now = now, (nodes(names), files(names))
        if now == before or time.monotonic() > end:
            return now


def changes(before: State, now: State) -> dict[str, str | None]:
    """Returns what differs: the new value, or None for a node or a file that is gone."""
    gone: dict[str, str | None] = dict.fromkeys(sorted(before.keys() - now.keys()))
    return gone | {path: value for path, value in sorted(now.items()) if before.get(path) != value}


def run(command: str, names: Names, env: dict[str, str]) -> tuple[str, int]:
    # Monitors of domains inherit the output. A file does not make this process wait for them.
    with open("output", "w+b") as output:
        try:
            status = subprocess.run(
                ["sh", "-c", command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=COMMAND_LIMIT_S,
            ).returncode
        except subprocess.TimeoutExpired:
            status = -1
        output.seek(0)
        return names.output(output.read().decode(errors="replace")), status


def main(script: str) -> None:
    env = dict(os.environ)
    if "AIOXEN_DROPIN" in env:
        env["LD_LIBRARY_PATH"] = env["AIOXEN_DROPIN"]
    names = Names()
    state = still(names)
    for line in Path(script).read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        output, status = run(line, names, env)
        now = still(names)
        record = {
            "command": line,
            "output": output.splitlines(),
            "status": status,
            "nodes": changes(state[0], now[0]),
            "files": changes(state[1], now[1]),
        }
        print(json.dumps(record), flush=True)
        state = now


main(sys.argv[1])
