#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""run_script.py SCRIPT: runs the commands of a script on this Xen machine, and prints what each of them does.

A script has one shell command in each line. Lines that begin with # are comments. The output is a JSON object
for each command: the command, its output, its exit status, what it has changed in xenstore and in the files
of Xen's directories, and in a simulated machine with a trace also the hypercalls that change something.
Numbers that differ from run to run are replaced by words.

The library under test is that in the directory AIOXEN_DROPIN, if the variable is set. AIOXEN_LIBVIRT is the
directory of the unpacked libvirt. If it is set, libvirtd runs meanwhile, and the commands find virsh. The
commands run in the present directory.
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
LIBVIRT_FOLDERS = ("/etc/libvirt/libxl", "/run/libvirt/libxl", "/var/lib/libvirt/libxl")
LIBVIRT_START_LIMIT_S = 100.0
COMMAND_LIMIT_S = 200
STILL_S = 0.06
"""The effects of a command are complete after this time without a change. The process that monitors a domain
works on after xl has ended."""
STILL_LIMIT_S = 30.0

# The pattern leaves out UUIDs that begin with eight times 1, which the scripts choose. If these UUIDs got
# numbers, a run in which a domain is missed because it ends at once would give other numbers to all later
# UUIDs.
UUID = re.compile(r"(?!1{8})[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The lines of the library's log. They are left out, because libxl's log has other words than this library's.
# The program's own messages are compared.
LOGGED = re.compile(r"^(?:libxl|libxl-save-helper|xc|aioxen): .*\n\n?", re.MULTILINE)
# The parts of the output that differ from run to run: processor times, sizes of files, addresses, terminals.
VARIABLE = [
    (re.compile(r" +\d+\.\d(?=\s|$)", re.MULTILINE), " TIME"),
    (re.compile(r"(?<=info 0x3/0x0/)\d+"), "SIZE"),
    # Which of the two messages xl prints depends on whether xl or the process that monitors the domain acts
    # first.
    (re.compile(r"(?<=has been )(?:destroyed|shut down, reason code [01])"), "STOPPED"),
    (re.compile(r"0x[0-9a-f]{6,}"), "ADDRESS"),
    (re.compile(r"/dev/pts/\d+"), "/dev/pts/N"),
    (re.compile(r"\[pid \d+\]"), "[pid N]"),
    (re.compile(r"(?<=CPU time:)( +)\d+\.\d+s|(?<=_time=)\d+"), " TIME"),
]
# Nodes whose value is a number that differs from run to run.
NUMBERS = re.compile(r".*/(start_time|ring-ref\d*|event-channel|port|tty|device-model-pid|hotplug-status-id)")

# The hypercalls that change something, with those arguments that the simulator traces. The hypercalls that
# fill the memory of a new domain are left out, because the two libraries may do this in different ways.
CHANGE = re.compile(
    r"\d+ (?!xenstored |xenconsoled )\S+ "
    r"((?:domctl\.(?!get|hypercall_init)|hvm_op\.set|physdev_op|sched_op"
    r"|memory_op\.(?:set_pod_target|add_to_physmap|remove_from|maximum)"
    r"|sysctl\.(?:debug_keys|set_|coverage|page_offline|scheduler_op)).*) -> (-?\d+)"
)
CALL_VARIABLE = [
    # A domain's UUID.
    (re.compile(r"(?<=createdomain )(dom \d+ \S+)(?: [0-9a-f]+){4}"), r"\1 UUID"),
    # The two words that are left out are padding.
    (re.compile(r"(?<=settscinfo )(dom \d+ \w+ \w+ \w+) \w+ (\w+) \w+"), r"\1 \2"),
    # This call reads the parameters of a scheduler. The octets of its answer are not initialised.
    (re.compile(r"(?<=scheduler_op )(dom \d+ \d+ 1)\b.*"), r"\1"),
]

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
    if path.suffix in {".xml", ".libvirt-xml"}:
        return names.output(octets.decode(errors="replace"))
    return hashlib.sha256(octets).hexdigest()[:8] if len(octets) < 1 << 16 else "(long)"


def files(names: Names) -> State:
    found = {}
    for folder in FOLDERS + LIBVIRT_FOLDERS:
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
    """Waits until the nodes and the files no longer change, and returns them."""
    end = time.monotonic() + STILL_LIMIT_S
    now = nodes(names), files(names)
    while True:
        time.sleep(STILL_S)
        before, now = now, (nodes(names), files(names))
        if now == before or time.monotonic() > end:
            return now


def changes(before: State, now: State) -> dict[str, str | None]:
    """Returns the differences: the new value of each changed node or file, or None if the node or file is
    gone."""
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


class Calls:
    """Reads the trace of the hypercalls of a simulated machine."""

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.read = 0

    def take(self) -> State:
        """Returns the hypercalls that change something since the last call of this function, with their
        results."""
        if not self.path:
            return {}
        with self.path.open("rb") as file:
            file.seek(self.read)
            octets = file.read()
        self.read += len(octets)
        found = {}
        for line in octets.decode().splitlines():
            if match := CHANGE.fullmatch(line):
                call = match[1]
                for pattern, word in CALL_VARIABLE:
                    call = pattern.sub(word, call)
                found[call] = match[2]
        return found


def start_libvirt(folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts libvirtd with the library under test. Changes `env` to the environment of virsh."""
    libraries = [folder / "usr/lib/x86_64-linux-gnu", folder / "lib/x86_64-linux-gnu"]
    modules = libraries[0] / "libvirt"
    private = ":".join(map(str, libraries))
    daemon = env | {
        "LIBVIRT_DRIVER_DIR": str(modules / "connection-driver"),
        "LIBVIRT_LOCK_MANAGER_PLUGIN_DIR": str(modules / "lock-driver"),
        "LD_LIBRARY_PATH": ":".join(filter(None, [env.get("LD_LIBRARY_PATH"), private])),
    }
    with open("libvirtd.log", "wb") as log:
        command = [folder / "usr/sbin/libvirtd", *env.get("AIOXEN_LIBVIRT_OPTIONS", "").split()]
        process = subprocess.Popen(command, env=daemon, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    env["LD_LIBRARY_PATH"] = private
    env["PATH"] = f"{folder}/usr/bin:{env['PATH']}"
    env["VIRSH_DEFAULT_CONNECT_URI"] = "xen:///system"
    end = time.monotonic() + LIBVIRT_START_LIMIT_S
    while subprocess.run(["virsh", "version"], env=env, capture_output=True).returncode:
        if time.monotonic() > end:
            sys.exit("libvirtd does not answer: " + Path("libvirtd.log").read_text())
        time.sleep(0.1)
    return process


def main(script: str) -> None:
    env = dict(os.environ)
    if "AIOXEN_DROPIN" in env:
        env["LD_LIBRARY_PATH"] = env["AIOXEN_DROPIN"]
    libvirt = start_libvirt(Path(env["AIOXEN_LIBVIRT"]), env) if "AIOXEN_LIBVIRT" in env else None
    names = Names()
    calls = Calls(os.environ.get("AIOXEN_SIM_TRACE"))
    state = still(names)
    calls.take()
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
            "calls": calls.take(),
        }
        print(json.dumps(record), flush=True)
        state = now
    if libvirt:
        libvirt.terminate()
        libvirt.wait()


main(sys.argv[1])
