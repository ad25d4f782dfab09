# SPDX-License-Identifier: LGPL-2.1-or-later
"""The identity of callers: the certificates, and the signatures of requests.

A broker does not tell an agent who has sent a message. So the caller signs each request with the key of its
certificate, and the agent checks the signature and the certificate itself. The broker checks its own rules
first. The agent's check does not depend on the broker.

A certificate has the name in CN. OU is "client" in a client's certificate, and "host" in a host's.
"""

from __future__ import annotations

import base64
import datetime
import ssl
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from aioxen.fleet import wire

CERTIFICATE = "Aioxen-Certificate"
SIGNATURE = "Aioxen-Signature"
MOST_CERTIFICATE = 4096
REMEMBERED = 1024


class IdentityError(Exception):
    """A request's certificate or signature is wrong."""


class Identity:
    """A certificate with its key, in a directory with ca.pem, cert.pem and key.pem."""

    def __init__(self, folder: str | Path) -> None:
        """Reads the files. Raises: OSError; ValueError, if a file is no certificate or key."""
        self.folder: Path = Path(folder)
        key = load_pem_private_key((self.folder / "key.pem").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{self.folder}/key.pem: a key on an elliptic curve is expected")
        self._key = key
        certificate = x509.load_pem_x509_certificate((self.folder / "cert.pem").read_bytes())
        self.name: str = name_of(certificate, None)
        """The name in the certificate."""
        self._certificate = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()

    def __repr__(self) -> str:
        return f"<Identity {self.name}>"

    def tls(self) -> ssl.SSLContext:
        """Returns the settings of a connection to the broker. The broker's certificate is checked."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(self.folder / "ca.pem"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        return context

    def tls_with(self, receives: bool) -> ssl.SSLContext:
        """Returns the settings of a connection to another host's agent. Both sides show their certificates. A
        host's certificate has no address, so host_at() checks the name instead.

        receives: Whether this side accepts the connection.
        """
        side = ssl.PROTOCOL_TLS_SERVER if receives else ssl.PROTOCOL_TLS_CLIENT
        context = ssl.SSLContext(side)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(self.folder / "ca.pem")
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        return context

    def sign(self, message: bytes) -> dict[str, str]:
        """Returns the headers that prove who has written the message."""
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        return {CERTIFICATE: self._certificate, SIGNATURE: base64.b64encode(signature).decode()}


class Verifier:
    """Checks who has written a message. The fleet's authority must have signed the client's certificate."""

    def __init__(self, authority: str | Path) -> None:
        self._authority = x509.load_pem_x509_certificate(Path(authority).read_bytes())
        self._known: dict[str, x509.Certificate] = {}  # Certificates whose issuer has been checked.

    def caller(self, message: bytes, headers: Mapping[str, str]) -> str:
        """Returns the name of the client that has signed the message. Raises IdentityError."""
        try:
            text, signature = headers[CERTIFICATE], base64.b64decode(headers[SIGNATURE], validate=True)
        except (KeyError, ValueError):
            raise IdentityError("the request is not signed") from None
        certificate = self._known.get(text) or self._check(text)
        now = datetime.datetime.utcnow()
        if not certificate.not_valid_before <= now <= certificate.not_valid_after:
            raise IdentityError("the certificate has expired, or is not valid yet")
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise IdentityError("the signature does not fit the request") from None
        return name_of(certificate, "client")

    def _check(self, text: str) -> x509.Certificate:
        if len(text) > MOST_CERTIFICATE:
            raise IdentityError("the certificate is too long")
        try:
            certificate = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
            key, issuer = certificate.public_key(), certificate.issuer
            algorithm = certificate.signature_hash_algorithm
            name_of(certificate, "client")
        except (ValueError, UnsupportedAlgorithm):
            raise IdentityError("the certificate cannot be read") from None
        authority = self._authority.public_key()
        if not (
            isinstance(authority, ec.EllipticCurvePublicKey) and isinstance(key, ec.EllipticCurvePublicKey)
        ):
            raise IdentityError("the certificate has a key of another kind")
        try:
            if issuer != self._authority.subject or algorithm is None:
                raise InvalidSignature
            authority.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
        except InvalidSignature:
            raise IdentityError("the certificate is not one of the fleet's authority") from None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[text] = certificate
        return certificate


def host_at(connection: ssl.SSLObject) -> str:
    """Returns the name of the host at the other end of a connection. Raises IdentityError."""
    shown = connection.getpeercert(binary_form=True)
    if shown is None:
        raise IdentityError("the other side has no certificate")
    return name_of(x509.load_der_x509_certificate(shown), "host")


def name_of(certificate: x509.Certificate, kind: str | None) -> str:
    """Returns the name in a certificate. `kind`: the OU that the certificate must have; None: every OU is
    accepted.

    Raises: IdentityError.
    """
    names = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    units = [
        str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    ]
    if len(names) != 1 or not wire.NAME.fullmatch(names[0]):
        raise IdentityError("the certificate has no name that a fleet can have")
    if kind is not None and units != [kind]:
        raise IdentityError(f"the certificate is not that of a {kind}")
    return names[0]
