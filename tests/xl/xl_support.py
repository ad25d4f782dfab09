# SPDX-License-Identifier: LGPL-2.1-or-later
"""Asks Debian's xl, which runs on the simulated hypervisor, how it reads a file."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import aioxen
from aioxen import DomainConfig, XlHost, XlNode

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LAUNCHER = ROOT / "sim/aioxen-sim"
CPUS = {0, 1}
HOST = XlHost(nodes=[XlNode(cpus=CPUS)])
"""The host for which the library reads files: the simulated machine. It has one node with two processors."""

# The shell loop in which xl reads files. A time limit ends xl, because some inputs make xl loop for ever.
LOOP = 'while read f; do eval timeout 10 xl create -n "$f" >$f.out 2>$f.err; echo $?; done'


@dataclass
class Answer:
    """The result of `xl create --dryrun` for a file."""

    status: int
    config: dict[str, Any] | None
    """The configuration as JSON. None: xl refuses the file."""
    said: str


class Xl:
    """A shell that runs xl for many files: `with Xl(folder) as xl: xl.ask(text)`."""

    def __init__(self, folder: Path, conf: str | None = None) -> None:
        self.folder = folder
        self.asked = 0
        script = LOOP
        if conf is not None:
            (folder / "xl.conf").write_text(conf)
            script = f"mount --bind {folder}/xl.conf /etc/xen/xl.conf && {LOOP}"
        self.process = subprocess.Popen(
            [LAUNCHER, "--", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=os.environ | {"AIOXEN_BUILD": str(ROOT / "build")},
        )

    def __enter__(self) -> Xl:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def ask(self, text: str | bytes) -> Answer:
        assert self.process.stdin and self.process.stdout
        self.asked += 1
        file = self.folder / f"{self.asked}"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        self.process.stdin.write(f"{file}\n".encode())
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        out = file.with_suffix(".out").read_text(errors="replace")
        said = file.with_suffix(".err").read_text(errors="replace").replace(str(file), "FILE")
        start = out.find("{\n")
        self.last = out[:start] + said
        return Answer(
            status, json.loads(out[start:]) if start >= 0 and not status else None, out[:start] + said
        )


def normal(document: dict[str, Any]) -> dict[str, Any]:
    """Returns a configuration as JSON in this library's form, which leaves out initial values."""
    config = aioxen.from_json(DomainConfig, json.dumps(document))
    written: dict[str, Any] = json.loads(aioxen.to_json(config))
    return written


def of_xl(answer: Answer, has_uuid: bool) -> dict[str, Any] | None:
    """Returns the configuration that xl has read, in this library's form and without its defaults. Returns
    None if xl refuses the file."""
    if answer.config is None:
        return None
    c_info, b_info = answer.config["c_info"], answer.config["b_info"]
    if not has_uuid:
        del c_info["uuid"]  # xl chooses a random UUID.
    if c_info.get("run_hotplug_scripts") == "True":  # xl always writes this default.
        del c_info["run_hotplug_scripts"]
    if b_info.get("claim_mode") == "True":
        del b_info["claim_mode"]
    online, vcpus = b_info.pop("avail_vcpus", [0]), b_info.get("max_vcpus", 1)
    if online != list(range(vcpus)):  # This library leaves out the set of all vcpus.
        b_info["avail_vcpus"] = online
    for name in ("vcpu_hard_affinity", "vcpu_soft_affinity"):
        for i, cpus in enumerate(b_info.get(name, [])):
            # xl adds bits for processors that do not exist.
            b_info[name][i] = [cpu for cpu in cpus if cpu in CPUS]
    rdm = b_info.get("type.hvm", {}).get("rdm", {})
    if "policy" in rdm and rdm["policy"] is None:  # xl does not initialise the policy.
        del rdm["policy"]
    return normal(answer.config)


def ours(config: DomainConfig) -> dict[str, Any]:
    return normal(json.loads(aioxen.to_json(config)))
