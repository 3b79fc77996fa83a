"""The server's certificate and the authority behind it: when each is made anew. Pure, but for the keys' randomness.

An authority is trusted before anything shows its certificates, and trusted until nothing shows them any more: the new
one stands beside the old in every webhook configuration for ``settle`` before the first certificate is signed by it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName

SKEW: Final = timedelta(minutes=5)
"""Clocks of a cluster differ: a certificate is good from a little before it is made."""
AUTHORITIES: Final = "ca.crt"
AUTHORITY_KEY: Final = "ca.key"
CHAIN: Final = "tls.crt"
KEY: Final = "tls.key"

Step: TypeAlias = Literal["keep", "fresh", "add authority", "sign", "drop authorities"]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long each is good, how long before its end it is replaced, and how long everybody needs to notice."""

    authority: timedelta = timedelta(days=365)
    authority_lead: timedelta = timedelta(days=120)
    serving: timedelta = timedelta(days=90)
    serving_lead: timedelta = timedelta(days=30)
    settle: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class Kept:
    """As PEM. ``authorities``: the newest first, whose key is the one that is kept."""

    authorities: tuple[str, ...]
    authority_key: str
    chain: str
    key: str

    @property
    def bundle(self) -> str:
        return "".join(self.authorities)


def kept_of(data: Mapping[str, str]) -> Kept | None:
    """From the Secret's values; None for one that cannot be used."""
    try:
        authorities, shown = _certificates(data[AUTHORITIES]), _certificates(data[CHAIN])
        pairs = ((authorities[0], data[AUTHORITY_KEY]), (shown[0], data[KEY]))
        if any(certificate.public_key() != _private(key).public_key() for certificate, key in pairs):
            return None
    except (KeyError, ValueError, TypeError):
        return None
    return Kept(tuple(_pem(one) for one in authorities), data[AUTHORITY_KEY], data[CHAIN], data[KEY])


def data_of(kept: Kept) -> dict[str, str]:
    """The Secret's values."""
    return {AUTHORITIES: kept.bundle, AUTHORITY_KEY: kept.authority_key, CHAIN: kept.chain, KEY: kept.key}


def decide(now: datetime, kept: Kept | None, names: Sequence[str], lifetimes: Lifetimes) -> Step:
    """The next step; after it, ask again."""
    if kept is None:
        return "fresh"
    authorities = _certificates(kept.bundle)
    newest, serving = authorities[0], _certificates(kept.chain)[0]
    issuer = next((one for one in authorities if one.subject == serving.issuer), None)
    if newest.not_valid_after_utc <= now:
        return "fresh"
    if newest.not_valid_after_utc - now <= lifetimes.authority_lead:
        return "add authority"
    useless = issuer is None or min(issuer.not_valid_after_utc, serving.not_valid_after_utc) <= now
    settled = useless or newest is issuer or now - _made(newest) >= lifetimes.settle
    due = newest is not issuer or serving.not_valid_after_utc - now <= lifetimes.serving_lead
    if settled and (due or not _is_for(serving, names)):
        return "sign"
    if len(authorities) > 1 and newest is issuer and now - _made(serving) >= lifetimes.settle:
        return "drop authorities"
    return "keep"


def take(step: Step, now: datetime, kept: Kept | None, names: Sequence[str], lifetimes: Lifetimes) -> Kept:
    """What is kept after this step."""
    if kept is None or step == "fresh":
        certificate, key = _authority(now, lifetimes)
        return _signed(now, Kept((certificate,), key, "", ""), names, lifetimes)
    if step == "add authority":
        certificate, key = _authority(now, lifetimes)
        return replace(kept, authorities=(certificate, *kept.authorities), authority_key=key)
    if step == "sign":
        return _signed(now, kept, names, lifetimes)
    if step == "drop authorities":
        return replace(kept, authorities=kept.authorities[:1])
    return kept


# -- certificates ---------------------------------------------------------------------------------------


def _certificates(pem: str) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    return load_pem_x509_certificates(pem.encode())


def _private(pem: str) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found = load_pem_private_key(pem.encode(), None)
    if not isinstance(found, EllipticCurvePrivateKey):
        raise ValueError("is no key of an elliptic curve")
    return found


def _pem(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _made(certificate: Certificate) -> datetime:
    return certificate.not_valid_before_utc + SKEW


def _authority(now: datetime, lifetimes: Lifetimes) -> tuple[str, str]:
    key, pem = _new_key()
    name = f"sympozium-admission {now:%Y-%m-%dT%H:%M:%S.%fZ}"  # no two of one name: clients find issuers by it
    return _pem(_made_of(now, now + lifetimes.authority, name, name, key, key, ())), pem


def _signed(now: datetime, kept: Kept, names: Sequence[str], lifetimes: Lifetimes) -> Kept:
    authority, signer = _certificates(kept.authorities[0])[0], _private(kept.authority_key)
    key, pem = _new_key()
    ends = min(now + lifetimes.serving, authority.not_valid_after_utc)
    issuer = str(authority.subject.rdns[0].rfc4514_string()).removeprefix("CN=")
    return replace(kept, chain=_pem(_made_of(now, ends, names[0][:64], issuer, key, signer, names)), key=pem)


def _new_key() -> tuple[EllipticCurvePrivateKey, str]:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _made_of(
    now: datetime,
    ends: datetime,
    subject: str,
    issuer: str,
    key: EllipticCurvePrivateKey,
    signer: EllipticCurvePrivateKey,
    names: Sequence[str],
) -> Certificate:
    """With ``names`` a server's, without an authority's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    public = key.public_key()
    signers = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder(called(issuer), called(subject), public, x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None if names else 0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(signers, critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _general(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_for(certificate: Certificate, names: Sequence[str]) -> bool:
    from cryptography import x509

    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(found) == {_general(name) for name in names}
