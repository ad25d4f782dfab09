# SPDX-License-Identifier: LGPL-2.1-or-later
"""The defaults in /etc/xen/xl.conf apply to the configurations of domains in the same way as in xl."""

from __future__ import annotations

from pathlib import Path

import aioxen
import pytest
from xl_support import HOST, Xl, of_xl, ours

FILE = """
name = "g"
kernel = "/k"
vif = [ "", "script=s2,bridge=b2,gatewaydev=g2,backend=d2" ]
"""
CONFS = [
    'vif.default.script = "s"\nvif.default.bridge = "b"\n'
    'vif.default.gatewaydev = "g"\nvif.default.backend = "d"\n',
    'vifscript = "s"\ndefaultbridge = "b"\n',
    'vif.default.bridge = "new"\ndefaultbridge = "old"\n',
    "run_hotplug_scripts = 0\nclaim_mode = 0\n",
    'run_hotplug_scripts = 1\nclaim_mode = 1\nautoballoon = "off"\noutput_format = "json"\nlockfile = "/l"\n',
    'blkdev_start = "xvdq"\nmax_grant_frames = 9\nmax_maptrack_frames = 8\nmax_grant_version = 1\n',
    "# nothing\n",
]


@pytest.mark.filterwarnings("ignore::aioxen.XlFileWarning")
@pytest.mark.parametrize("conf", CONFS)
@pytest.mark.parametrize(
    "more", ["", "max_grant_frames = 5\nmax_maptrack_frames = 6\nmax_grant_version = 2\n"]
)
def test_defaults_are_those_of_xl(tmp_path: Path, conf: str, more: str) -> None:
    file = tmp_path / "xl.conf"
    file.write_text(conf)
    host = aioxen.load_conf(file)
    with Xl(tmp_path, conf) as xl:
        expected = of_xl(xl.ask(FILE + more), False)
    host.nodes = HOST.nodes
    config = aioxen.loads(FILE + more, host=host)
    for written, key in ((config.c_info, "run_hotplug_scripts"), (config.b_info, "claim_mode")):
        if getattr(written, key) is True:
            setattr(written, key, None)
    assert ours(config) == expected


def test_errors_have_a_place(tmp_path: Path) -> None:
    file = tmp_path / "xl.conf"
    file.write_text('claim_mode = 1\nvif.default.brigde = "b"\n')
    with pytest.raises(aioxen.XlFileError, match=r"is 'vif\.default\.bridge' meant") as told:
        aioxen.load_conf(file)
    assert (told.value.file, told.value.line, told.value.column) == (str(file), 2, 1)
    with pytest.warns(aioxen.XlFileWarning):
        assert aioxen.load_conf(file, strict=False).vif_bridge is None
