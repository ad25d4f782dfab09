# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs programs on a Xen machine, simulated or real: python3 -m aioxen_bench.measure ROUNDS QUICK INDEX...

INDEX is the index of a line in LINES. Prints one JSON object for each line and round. In each round, a
program that several lines need runs once, and the programs of "ours", "peer" and "floor" run in turn.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from .line import Line, Round, Tool
from .rows import LINES

BENCH = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("AIOXEN_BUILD", BENCH.parent / "build"))
LIMIT_S = 200
PATIENT_S = 1800
ENVIRONMENT = {"AIOXEN_BENCH_BUILD": str(BUILD), "AIOXEN_BENCH_KERNEL": str(BUILD / "guest/tiny")}

Numbers = dict[str, float]


class MeasureError(Exception):
    """The exception for a program that has failed, or that has printed no measurement."""


def command(program: str, n: int) -> list[str]:
    name, *arguments = program.format(n=n).split()
    if name.endswith(".py"):
        return [sys.executable, str(BENCH / "python" / name), *arguments]
    return [str(BUILD / "bench" / name), *arguments]


def run(arguments: list[str], environment: dict[str, str], limit_s: float = LIMIT_S) -> tuple[str, str]:
    """Runs a program. Returns the program's standard output and standard error."""
    try:
        done = subprocess.run(
            arguments,
            env=os.environ | ENVIRONMENT | environment,
            capture_output=True,
            text=True,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired as error:
        raise MeasureError(f"{' '.join(arguments)}: takes more than {limit_s} s") from error
    if done.returncode:
        raise MeasureError(f"{' '.join(arguments)}: {done.returncode}\n{done.stderr}")
    return done.stdout, done.stderr


def plain(program: str, n: int) -> Numbers:
    return numbers(run(command(program, n), {})[0])


def patient(program: str, n: int) -> Numbers:
    return numbers(run(command(program, n), {}, PATIENT_S)[0])


def counters(program: str, n: int) -> Numbers:
    preload = ":".join(
        filter(None, [str(BUILD / "bench/shared/counters.so"), os.environ.get("LD_PRELOAD", "")])
    )
    return numbers(run(["env", f"LD_PRELOAD={preload}", *command(program, n)], {})[0])


def live(program: str, n: int) -> Numbers:
    return numbers(run(command(program, n), {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"})[0])


def callgrind(program: str, n: int) -> Numbers:
    """Counts the instructions of one operation. The function subtracts two runs, so the set-up and the end
    of a run do not count."""

    def instructions(count: int) -> int:
        tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        # Callgrind counts `rep stosb` as one instruction for each byte, so memset must not use `rep stosb`.
        tunables = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_stosb_threshold=1000000000"}
        messages = run([*tool, *command(program, count)], tunables)[1]
        found = re.search(r"Collected : (\d+)", messages)
        if not found:
            raise MeasureError(messages)
        return int(found[1])

    return {"instructions": (instructions(2 * n) - instructions(n)) / n}


def numbers(text: str) -> Numbers:
    read: Numbers = json.loads(text.splitlines()[-1])
    return read


TOOLS = {
    Tool.PLAIN: plain,
    Tool.PATIENT: patient,
    Tool.COUNTERS: counters,
    Tool.LIVE: live,
    Tool.CALLGRIND: callgrind,
}


def measure(lines: list[Line], quick: bool) -> list[Round]:
    """Measures one round of these lines."""
    known: dict[tuple[str, int, Tool], Numbers] = {}
    rounds: list[Round] = []
    for line in lines:
        one: Round = {}
        for subject, program in line.subjects().items():
            n = line.quick if quick else line.n
            which = (program, n, line.tool)
            if which not in known:
                known[which] = TOOLS[line.tool](program, n)
            key = line.peer_key if subject == "peer" and line.peer_key else line.key
            one[subject] = known[which][key]
        rounds.append(one)
    return rounds


def main(rounds: int, quick: bool, indices: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ENVIRONMENT["AIOXEN_BENCH_FOLDER"] = folder  # The folder for the files of disks.
        for number in range(rounds):
            chosen = [index for index in indices if number == 0 or not LINES[index].once]
            for index, one in zip(chosen, measure([LINES[i] for i in chosen], quick), strict=True):
                print(json.dumps({"line": index, "round": one}), flush=True)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), sys.argv[2] == "quick", [int(index) for index in sys.argv[3:]])
    except MeasureError as error:
        sys.exit(f"bench: {error}")
