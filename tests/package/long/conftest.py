# SPDX-License-Identifier: LGPL-2.1-or-later
"""A fresh Debian in a directory, for tests that install packages. They need root and a mirror."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from package_support import ROOT, copy_of_the_tree, output

ENTER = """
mount --rbind "$0" "$0"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --rbind /sys "$0/sys"
exec chroot "$0" sh -ec "$1"
"""
MIRROR = "apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head -1"
PASSED = {"CI", "http_proxy", "https_proxy", "no_proxy"}


@dataclass
class Debian:
    """A Debian below a directory."""

    root: Path

    def run(self, script: str) -> str:
        """Runs a shell script in this Debian. Returns the script's output. The script must succeed."""
        environment = {name: value for name, value in os.environ.items() if name in PASSED}
        environment |= {
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive",
        }
        # If a proxy of PyPI needs certificates of this machine, pip in the Debian needs them, too.
        if certificates := os.environ.get("PIP_CERT"):
            folder = self.root / "etc/ssl/certs"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(certificates, folder / "ca-certificates.crt")
        command = ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", ENTER, str(self.root), script]
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=-1, stderr=-2, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def fresh(root: Path, release: str) -> Debian:
    """Makes a Debian that has only the essential packages, and this tree's files in /src."""
    if os.getuid():
        pytest.fail("needs root: debootstrap makes device files")
    mirror = output("sh", "-c", MIRROR).strip() or "http://deb.debian.org/debian"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", release, str(root), mirror],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "src").mkdir()
    copy_of_the_tree(root / "src")
    return Debian(root)


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Debian:
    """Makes a Debian 12."""
    return fresh(tmp_path_factory.mktemp("debian"), "bookworm")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds Debian's packages. The script also runs lintian, which must find nothing."""
    folder = tmp_path_factory.mktemp("packages")
    before = output("git", "status", "--porcelain", "--ignored")
    done = subprocess.run([ROOT / "tools/build-deb", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert output("git", "status", "--porcelain", "--ignored") == before
    return folder
