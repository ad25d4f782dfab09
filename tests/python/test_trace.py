# SPDX-License-Identifier: LGPL-2.1-or-later
"""aioxen trace records a program, and writes a trace and a page."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aioxen
from aioxen import trace
from worldly import Configure

PROGRAM = """
import asyncio, sys, aioxen, beside

async def main():
    async with aioxen.Context() as xen:
        await xen.host_info()
        dom = await xen.domain_create(aioxen.pv(beside.NAME, sys.argv[1], memory="24M", cmdline="l"))
        await dom.unpause()
        await dom.shutdown()
        await dom.destroy()
        await asyncio.gather(dom.unpause(), return_exceptions=True)

asyncio.run(main())
print(sys.argv[1:])
sys.exit(7)
"""

NAME = "<!--<script>é"


def run(tmp_path: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "beside.py").write_text(f"NAME = {NAME!a}\n")
    (folder / "traced.py").write_text(program)
    command = [sys.executable, "-m", "aioxen", "trace", "-o", str(tmp_path / "out"), "--"]
    return subprocess.run([*command, str(folder / "traced.py"), *arguments], capture_output=True, text=True)


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_program_is_traced(hypervisor: None, kernel: Path, tmp_path: Path) -> None:
    done = run(tmp_path, PROGRAM, str(kernel), "-x", "--", "y")
    assert (done.returncode, done.stdout) == (7, f"{[str(kernel), '-x', '--', 'y']}\n"), done.stderr
    assert done.stderr == f"wrote {tmp_path}/out.json\nwrote {tmp_path}/out.html\n"
    chrome = json.loads((tmp_path / "out.json").read_text())
    names = {e["tid"]: e["args"]["name"] for e in chrome["traceEvents"] if e["name"] == "thread_name"}
    boxes = [e for e in chrome["traceEvents"] if e["ph"] == "X"]
    operations = {e["name"]: e for e in boxes if e["cat"] == "operation"}
    assert set(operations) == {
        *("host_info", "domain_create", "domain_unpause", "domain_shutdown", "domain_wait_shutdown"),
        "domain_destroy",
    }
    domid = operations["domain_create"]["args"]["domid"]
    assert set(names.values()) == {"host", f"{NAME} ({domid})"}
    for tid in names:
        # Operations of a lane do not overlap, and the phases lie within their operation.
        lane = sorted((e for e in boxes if e["tid"] == tid), key=lambda e: (e["ts"], -e["dur"]))
        inside = [e for e in lane if e["cat"] == "operation"]
        for one, other in itertools.pairwise(inside):
            assert one["ts"] + one["dur"] <= other["ts"] + 1e-3
        for e in lane:
            assert any(o["ts"] <= e["ts"] and e["ts"] + e["dur"] <= o["ts"] + o["dur"] + 1e-3 for o in inside)
    failed = [e for e in boxes if e["name"] == "domain_unpause" and "error" in e["args"]]
    assert [e["args"]["outcome"] for e in failed] == ["error"]
    page = (tmp_path / "out.html").read_text()
    assert "http" not in page  # The page loads nothing.
    assert "<!--<script" not in page
    data = data_of(page)
    assert [row["name"] for row in data["rows"]] == ["host", f"{NAME} ({domid})"]
    assert data["rows"][1]["lanes"][0][0]["phases"][0][0] == "name"


def test_a_program_that_fails_is_traced(hypervisor: None, tmp_path: Path) -> None:
    program = "import asyncio, aioxen\nasync def main():\n    aioxen.Context().domain_wait_shutdown(0)\n"
    done = run(tmp_path, f"{program}asyncio.run(main())\nraise SystemExit('the end')\n")
    assert done.returncode == 1
    assert "the end\n" in done.stderr
    (row,) = data_of((tmp_path / "out.html").read_text())["rows"]
    assert [op["outcome"] for lane in row["lanes"] for op in lane] == ["unfinished"]


def test_an_exception_of_the_program(tmp_path: Path) -> None:
    done = run(tmp_path, "1 / 0\n")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert data_of((tmp_path / "out.html").read_text())["rows"] == []


async def test_a_part_of_a_program(xen: aioxen.Context, guest: Configure) -> None:
    with trace.recorded(most=2) as recorder:
        dom = await xen.domain_create(guest())
        await dom.unpause()
        await dom.destroy()
    await xen.host_info()
    assert [op.name for op in recorder.operations] == ["domain_create", "domain_unpause"]
    assert recorder.left_out == 1
    assert data_of(recorder.html("a & b"))["left_out"] == 1
    assert recorder.chrome()["otherData"] == {"left_out": 1}
