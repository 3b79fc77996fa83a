"""Which addresses fetch_url connects to."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sympozium_runner.native.addresses import fault_of_address

ALWAYS_REFUSED = [
    "169.254.169.254", "169.254.1.1", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
    "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1",
    "::", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2001::1",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "::7f00:1", "100::1", "nonsense", "127.1",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.255.0.1", "10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1", "fd12::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
]  # fmt: skip


@pytest.mark.parametrize("address", ALWAYS_REFUSED)
def test_metadata_and_special_addresses_are_refused_whatever_a_run_allows(address: str) -> None:
    assert fault_of_address(address, private=True)
    assert fault_of_address(address, private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_and_loopback_addresses_are_refused_unless_allowed(address: str) -> None:
    assert fault_of_address(address, private=False) == "is a loopback or private address"
    assert fault_of_address(address, private=True) is None


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_fine(address: str) -> None:
    assert fault_of_address(address, private=False) is None


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_a_run_without_private_addresses_may_reach_is_globally_routed(address: object) -> None:
    if fault_of_address(str(address), private=False) is None:
        assert address.is_global or str(address).startswith("64:ff9b::")  # type: ignore[attr-defined]
        assert not address.is_loopback  # type: ignore[attr-defined]
