"""The authority of a cluster's bus, and the server's certificate of it: made here, and made anew in time."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR: Final = timedelta(days=365)
AUTHORITY_LASTS: Final = 20 * YEAR
SERVER_LASTS: Final = 5 * YEAR
"""Nothing but an operator's command makes it anew, so an early end would only be an outage."""
ENOUGH_LEFT: Final = SERVER_LASTS / 2
SKEW: Final = timedelta(hours=1)
"""Clocks that go behind ours see a certificate of now."""

_SanKind: TypeAlias = x509.DNSName | x509.IPAddress


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both in PEM."""

    certificate: bytes
    key: bytes


def authority(now: datetime) -> Pair:
    """One that vouches for servers of the bus, anew."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Sympozium bus")
    builder = (
        _builder(name, name, key.public_key(), now, AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def server(issuer: Pair, names: Sequence[str], now: datetime) -> Pair:
    """For a server of these names and addresses."""
    above, signer = _read(issuer)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(names[0]), above.subject, key.public_key(), now, SERVER_LASTS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([_kind(name) for name in names]), critical=False)
    )
    return _pair(builder.sign(signer, hashes.SHA256()), key)


def is_good(found: Pair, issuer: Pair, names: Sequence[str], now: datetime) -> bool:
    """Is it that authority's, for all these names, and for long enough?"""
    try:
        certificate, key = _read(found)
        above, _ = _read(issuer)
        certificate.verify_directly_issued_by(above)
        has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    own = certificate.public_key() == key.public_key()
    return own and set(map(_kind, names)) <= set(has) and certificate.not_valid_after_utc - now > ENOUGH_LEFT


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=(now - SKEW).astimezone(UTC),
        not_valid_after=(now + lasts).astimezone(UTC),
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _kind(name: str) -> _SanKind:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM), text)


def _read(pair: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Raises ValueError, TypeError."""
    key = load_pem_private_key(pair.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("it is another kind of key")
    return x509.load_pem_x509_certificate(pair.certificate), key
