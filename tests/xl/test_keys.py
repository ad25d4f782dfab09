# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of keys has exactly the keys that xl looks up."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from keys import TYPES
from xl_support import HERE, LAUNCHER, ROOT

SOURCE = (ROOT / "src/xl/keys.c").read_text()
KEYS = set(re.findall(r'\{(?:KEY|READ|CLASS)\("(\w+)"', SOURCE))

OF_THE_HOST = re.compile(
    r"autoballoon|lockfile|vifscript|defaultbridge|output_format|blkdev_start|claim_mode|run_hotplug_scripts"
    r"|domid_policy|\w+\.\w+(\.\w+)?"
)
"""The keys of /etc/xen/xl.conf. xl also reads this file."""

FILES = {
    "pv": 'type = "pv"\nvnc = 1',
    "pvh": 'type = "pvh"',
    "hvm": 'type = "hvm"\ndisplay = "x"',
}


def test_the_table_has_the_keys_of_xl(tmp_path: Path) -> None:
    library = tmp_path / "asked.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, HERE / "asked_keys.c"], check=True)
    asked: set[str] = set()
    for kind, text in FILES.items():
        file = tmp_path / kind
        file.write_text(f'name = "g"\nkernel = "k"\npci = [ "1:0.0" ]\n{text}\n')
        script = f"LD_PRELOAD={library}:$LD_PRELOAD xl create -n {file} 2>&1 >/dev/null"
        out = subprocess.run([LAUNCHER, "--", "sh", "-c", script], capture_output=True, text=True, check=True)
        asked |= set(re.findall(r"^KEY (\S+)$", out.stdout, re.MULTILINE))
    asked = {key for key in asked if not OF_THE_HOST.fullmatch(key)}
    assert asked > {"name", "vcpus", "disk", "viridian", "pvshim", "e820_host"}
    assert asked == KEYS


def test_every_key_is_in_the_corpus() -> None:
    texts = [file.read_text() for file in (HERE / "corpus").glob("*.cfg")]
    used = {key for text in texts for key in re.findall(r"(?:^|;)[ \t]*(\w+)[ \t]*\+?=", text, re.MULTILINE)}
    assert used >= KEYS


def test_every_key_is_generated() -> None:
    by_hand = {
        "type",
        "builder",
        "name",
        "kernel",
        "cmdline",
        "vnuma",
        "rdm",
        "display",
        "xauthority",
        "maxmem",
        "maxvcpus",
        "device_model",
        "vif2",
        "vncviewer",
        "pci_permissive",
        "pci_msitranslate",
        "pci_seize",
        "pci_power_mgmt",
    }
    assert KEYS - by_hand == {key for table in TYPES.values() for key in table} - by_hand
