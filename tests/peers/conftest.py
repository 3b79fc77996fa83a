"""What tests with programs of others share with those of the bridge."""

from tests.mcp.conftest import bridge as bridge
