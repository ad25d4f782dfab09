# SPDX-License-Identifier: LGPL-2.1-or-later
"""`aioxen restore` restores files of `xl save`, and `xl restore` restores files of `aioxen save`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aioxen.cli.exits import Exit
from command_line import WriteFile, aioxen_
from command_line import cfg as cfg

Xl = Callable[..., str]

pytestmark = pytest.mark.usefixtures("sim", "kernel", "nothing_left")


def test_a_domain_goes_from_file_to_file(cfg: WriteFile, xl: Xl, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    aioxen_("start", "-e", cfg("kept", type="pvh"), "--quiet")
    assert f"saved to {first}" in aioxen_("save", "kept", first).out
    assert "kept" not in xl("list")
    xl("restore", "-e", str(first))
    xl("save", "kept", str(second))
    record = json.loads(aioxen_("restore", "--json", second).out)
    assert record["outcome"] == "restored"
    assert aioxen_("domid", "kept").out == f"{record['domid']}\n"
    for option in (["--compress"], ["--compress-level", "1"]):
        plain = first.stat().st_size
        aioxen_("save", "-c", *option, "kept", tmp_path / "small")
        assert 100_000 < (tmp_path / "small").stat().st_size < plain // 2
    aioxen_("save", "-c", "kept", first)
    aioxen_("save", "-p", "kept", second)
    assert "p" in xl("list", "kept").splitlines()[1].split()[4]
    aioxen_("destroy", "kept")
    aioxen_("restore", "-p", first)
    assert "p" in xl("list", "kept").splitlines()[1].split()[4]
    aioxen_("destroy", "kept")


def test_what_cannot_be_saved_is_reported(cfg: WriteFile, tmp_path: Path) -> None:
    assert "nobody" in aioxen_("save", "nobody", tmp_path / "f", code=Exit.NOT_FOUND).err
    (tmp_path / "f").write_bytes(b"x" * 100)
    refused = aioxen_("restore", tmp_path / "f", code=None)
    assert refused.code and "not a domain that xl or this library has saved" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
