"""The certificates of admission over years: always good, always trusted before they are shown."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from sympozium_controller.admission.certificates import Kept, Lifetimes, data_of, decide, kept_of, take

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = ("sympozium-admission.sympozium-system.svc", "127.0.0.1")
LIFETIMES = Lifetimes()


def settled(now: datetime, kept: Kept | None, names: tuple[str, ...] = NAMES) -> Kept:
    """All steps that are due."""
    for _ in range(5):
        step = decide(now, kept, names, LIFETIMES)
        if kept is not None and step == "keep":
            return kept
        kept = take(step, now, kept, names, LIFETIMES)
    raise AssertionError("no end of steps")


def serving(kept: Kept) -> x509.Certificate:
    return x509.load_pem_x509_certificate(kept.chain.encode())


def authorities(kept: Kept) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(kept.bundle.encode())


def issuer(kept: Kept) -> x509.Certificate:
    found = next(one for one in authorities(kept) if one.subject == serving(kept).issuer)
    serving(kept).verify_directly_issued_by(found)
    return found


def test_over_three_years_what_is_shown_is_good_and_was_trusted_long_before() -> None:
    clock = random.Random(7)
    kept, now = settled(NOW, None), NOW
    trusted_since = {authorities(kept)[0].subject: NOW}
    shown: list[x509.Name] = []
    while now < NOW + timedelta(days=1100):
        before, now = kept, now + timedelta(minutes=clock.choice([1, 20, 70, 60 * 24, 60 * 24 * 20]))
        kept = settled(now, kept)
        assert serving(kept).not_valid_after_utc > now
        assert issuer(kept).not_valid_after_utc > now
        assert len(authorities(kept)) <= 2
        for one in authorities(kept):
            trusted_since.setdefault(one.subject, now)
        assert serving(before).issuer in [one.subject for one in authorities(kept)], "who was slow is still trusted"
        if issuer(kept).subject not in shown:
            shown.append(issuer(kept).subject)
            assert len(shown) == 1 or now - trusted_since[shown[-1]] >= LIFETIMES.settle
    assert len(shown) >= 4


def test_a_certificate_is_for_every_name_of_the_server() -> None:
    kept = settled(NOW, None)
    names = serving(kept).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAMES[0]]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [NAMES[1]]
    other = settled(NOW, kept, ("other.example",))
    assert other.authorities == kept.authorities
    assert serving(other).subject != serving(kept).subject


def test_an_installation_that_slept_for_months_signs_anew_and_one_that_slept_for_years_begins_anew() -> None:
    kept = settled(NOW, None)
    assert decide(NOW + timedelta(days=100), kept, NAMES, LIFETIMES) == "sign"
    assert decide(NOW + timedelta(days=300), kept, NAMES, LIFETIMES) == "add authority"
    late = settled(NOW + timedelta(days=300), kept)
    assert serving(late).not_valid_after_utc > NOW + timedelta(days=300)
    assert decide(NOW + timedelta(days=400), kept, NAMES, LIFETIMES) == "fresh"


def test_a_secret_holds_what_is_kept_and_one_that_is_broken_holds_nothing() -> None:
    kept = settled(NOW, None)
    data = data_of(kept)
    assert kept_of(data) == kept
    for broken in (
        {},
        {**data, "ca.crt": "nonsense"},
        {**data, "tls.key": ""},
        {**data, "ca.key": data["tls.crt"]},
        {name: value for name, value in data.items() if name != "tls.crt"},
        {**data, "tls.crt": ""},
    ):
        assert kept_of(broken) is None
    assert decide(NOW, None, NAMES, LIFETIMES) == "fresh"


@pytest.mark.parametrize("name", ["tls.key", "ca.key"])
def test_keys_that_belong_to_other_certificates_are_not_used(name: str) -> None:
    data, other = data_of(settled(NOW, None)), data_of(settled(NOW, None))
    assert kept_of({**data, name: other[name]}) is None
