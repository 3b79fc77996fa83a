"""One small HTTP server: /healthz, /readyz, /metrics. aiohttp's, which the connection to the cluster needs anyway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sympozium_protocol.exits import Ended, Reason


@asynccontextmanager
async def serving(host: str, port: int, ready: Callable[[], str], metrics: Callable[[], bytes]) -> AsyncIterator[int]:
    """The port that it listens on; 0 asks for any. ``ready`` says what is waited for; empty: nothing.

    /healthz answers while the program's loop runs. Raises Ended (Usage): the port is taken.
    """
    from aiohttp import web

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = ready()
        return web.Response(text=f"{why}\n", status=503) if why else web.Response(text="ok\n")

    async def figures(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", figures)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise Ended(Reason.Usage, f"SYMPOZIUM_HEALTH_PORT: {host}:{port}: {error.strerror}") from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
