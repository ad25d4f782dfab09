# SPDX-License-Identifier: LGPL-2.1-or-later
"""The authority of a fleet, which signs the certificates of the broker, the hosts and the clients."""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 825
"""How long a certificate is valid. The authority's own is valid for ten years."""

PRIVATE = 0o600


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Writes a file. Until the file is complete, only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, mode)


class Authority:
    """Signs the certificates of a fleet. Its key is in a directory, which is made at the first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "key.pem").exists():
            self._make()
        self.pem: bytes = (folder / "ca.pem").read_bytes()
        """The authority's certificate."""
        self._certificate = x509.load_pem_x509_certificate(self.pem)
        key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aioxen fleet")])
        made = _builder(name, name, key, 3650).add_extension(x509.BasicConstraints(True, 0), True)
        write(self.folder / "key.pem", _pem(key), PRIVATE)
        certificate = made.sign(key, hashes.SHA256())
        write(self.folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, folder: Path, name: str, kind: str, addresses: tuple[str, ...] = (), days: int = DAYS
    ) -> None:
        """Makes ca.pem, cert.pem and key.pem in a directory, unless they exist.

        kind: "client", "host" or "broker". addresses: the host names and IP addresses under which a broker is
        reached.
        """
        if (folder / "cert.pem").exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, kind),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        # A host receives guests from other hosts.
        usages = {"broker": [server], "host": [server, client], "client": [client]}[kind]
        made = _builder(subject, self._certificate.subject, key, days)
        made = made.add_extension(x509.BasicConstraints(False, None), True)
        made = made.add_extension(x509.ExtendedKeyUsage(usages), False)
        if addresses:
            made = made.add_extension(x509.SubjectAlternativeName([_address(a) for a in addresses]), False)
        certificate = made.sign(self._key, hashes.SHA256())
        write(folder / "key.pem", _pem(key), PRIVATE)
        write(folder / "ca.pem", self.pem)
        write(folder / "cert.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.utcnow()
    begin, end = now - datetime.timedelta(minutes=5), now + datetime.timedelta(days=days)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(begin, end - datetime.timedelta(minutes=5)))
        .not_valid_after(end)
    )


def _address(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
