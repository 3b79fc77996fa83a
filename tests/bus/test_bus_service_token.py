"""A service whose token ends: the file has another by then, as the kubelet puts it there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sympozium_protocol.bus.service import OnBus
from sympozium_protocol.bus.tokens import RunIdentity, ServiceIdentity
from sympozium_protocol.participant import serve
from tests.support.bus import Bridge, go, soon, spec_of, words
from tests.support.bus_auth import guarded_bus
from tests.support.participant import HANDLERS


def test_a_service_goes_on_with_the_token_that_is_in_its_file_when_the_first_one_ends(tmp_path: Path) -> None:
    identity = ServiceIdentity(service="subject", participant="subject", namespaces=("default",))
    with guarded_bus(tmp_path / "guarded") as bus:
        service, spec = bus.settings(identity, lasts=3), spec_of("renewed")
        token = service.token_file
        assert token is not None

        async def renewed() -> None:
            own = bus.settings(RunIdentity(namespace=spec.namespace, run=spec.run))
            serving = asyncio.create_task(serve(HANDLERS, on=OnBus("subject", service, grace=0)))
            try:
                await soon(lambda: bus.said(identity.principal) or None, "the service is let in")
                aside = token.with_suffix(".new")
                aside.write_text(bus.token(identity))
                aside.rename(token)
                await soon(lambda: bus.said(identity.principal) > 1 or None, "it is let in again")
                async with Bridge(own, spec) as bridge:
                    await bridge.taken("1-1", "echo", text="still here")
                    assert words(await bridge.reply("1-1")) == "still here"
                assert not serving.done()
            finally:
                serving.cancel()
                await asyncio.wait([serving])

        go(renewed())
