# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two machines with a common network and a common disk. AIOXEN_GUESTS=all adds the migrations of a guest from
one machine to the other, which take minutes (`make test-guests`)."""

import datetime
import os
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from launching import LAUNCHER, PROJECT
from limits import scaled

LONG = pytest.mark.skipif(os.environ.get("AIOXEN_GUESTS") != "all", reason="takes minutes: make test-guests")


def pair(*arguments: str, limit: float) -> "subprocess.CompletedProcess[str]":
    """Runs aioxen-vm-pair to its end."""
    command = [f"{LAUNCHER}-pair", "--timeout", str(limit), *arguments]
    settings = {"text": True, "stdin": subprocess.DEVNULL, "capture_output": True}
    done = subprocess.run(command, cwd=PROJECT, **settings)  # type: ignore[call-overload]
    print(done.stdout)
    print(done.stderr, file=sys.stderr)
    return done  # type: ignore[no-any-return]


# Machine 2 writes to the disk, and then sends a word to machine 1 by the network. Then machine 1 reads the
# disk.
MEET = """
ip address add 10.0.0.$AIOXEN_VM_NUMBER/24 dev eth0
if [ $AIOXEN_VM_NUMBER = 1 ]; then
    nc -l -p 7000 && dd if=/dev/vda bs=6 count=1 2>/dev/null
else
    echo hello >/dev/vda && sync
    until echo written | nc 10.0.0.1 7000; do sleep 0.2; done
fi
"""


def test_two_machines_have_a_network_and_a_disk() -> None:
    done = pair("--", "sh", "-c", MEET, limit=scaled(30))
    assert done.returncode == 0
    assert sorted(line for line in done.stdout.splitlines() if line) == ["hello", "written"]


def test_the_failure_of_one_machine_ends_both() -> None:
    done = pair("--", "sh", "-c", "[ $AIOXEN_VM_NUMBER = 1 ] && sleep 1000; exit 7", limit=scaled(30))
    assert done.returncode == 7


# xl moves running guests only, and Debian's Xen has no log-dirty mode for PV guests. So xl moves no PV guest.
MIGRATIONS = [
    ("pvh", "ours", "ours", "tcp"),
    ("pvh", "ours", "xl", "tcp"),
    ("pvh", "xl", "ours", "tcp"),
    ("pv", "ours", "ours", "tls"),
    ("pv", "ours", "xl", "ssh"),
]


def certificate() -> str:
    """Returns a key and its certificate, which no authority has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aioxen")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, form, serialization.NoEncryption())
    return (secret + made.public_bytes(pem)).decode()


@LONG
@pytest.mark.parametrize(("kind", "sender", "receiver", "transport"), MIGRATIONS)
def test_a_guest_moves_to_the_other_machine(kind: str, sender: str, receiver: str, transport: str) -> None:
    environment = (
        "--env",
        f"PYTHONPATH={PROJECT}/build/python",
        "--env",
        f"AIOXEN_CERTIFICATE={certificate()}",
    )
    program = ("/usr/bin/python3", "tests/vm/inside/migrated.py")
    done = pair(*environment, "--", *program, kind, sender, receiver, transport, limit=scaled(300))
    assert done.returncode == 0


@LONG
@pytest.mark.parametrize(("sender", "receiver"), [("ours", "ours"), ("ours", "xl"), ("xl", "ours")])
def test_an_hvm_guest_moves_to_the_other_machine(sender: str, receiver: str) -> None:
    program = ("/usr/bin/python3", "tests/vm/inside/migrated_hvm.py", sender, receiver)
    done = pair("--env", f"PYTHONPATH={PROJECT}/build/python", "--", *program, limit=scaled(300))
    assert done.returncode == 0
