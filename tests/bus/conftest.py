"""The nats-server of these tests."""

from tests.support.nats_fixtures import nats_binary, nats_server, shared_nats

__all__ = ["nats_binary", "nats_server", "shared_nats"]
