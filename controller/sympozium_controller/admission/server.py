"""The HTTPS server that the API server asks. Whatever goes wrong in it is a denial: it fails closed.

On aiohttp, which the API client brings along already.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sympozium_controller.admission.answering import Answering
from sympozium_controller.admission.asking import Asking
from sympozium_controller.admission.certificates import Lifetimes
from sympozium_controller.admission.configuration import JUDGE, NAME, PORT, STAMP
from sympozium_controller.admission.keeping import PERIOD, Keeper
from sympozium_controller.admission.known import Live, Lookup
from sympozium_controller.admission.reviews import (
    TOO_LATE,
    UNAVAILABLE,
    Answer,
    NoReview,
    Request,
    encoded,
    request_of,
)
from sympozium_controller.admission.shares import Shares, who
from sympozium_controller.names import SYSTEM_NAMESPACE
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.process import log

if TYPE_CHECKING:
    from aiohttp import web

BUDGET: Final = 8.0
"""Seconds for one answer: the API server waits 10, and hears from us why instead."""
LARGEST: Final = 8 << 20
"""Bytes of one request: the object as it is and as it would be, each at most 3 MiB or so in JSON."""
AT_ONCE: Final = 64
"""Requests that are judged at once; others wait within their budget."""
OF_ONE: Final = 16
"""Of these, requests of one user."""
SHUTDOWN: Final = 2.0
"""Seconds for answers under way when told to end."""
BACKLOG: Final = 1024


@dataclass(frozen=True)
class Settings:
    """What the admission of an installation is told.

    ==================================  =========================================================
    ``SYMPOZIUM_SYSTEM_NAMESPACE``      of the installation (default sympozium-system)
    ``SYMPOZIUM_ADMISSION_HOST``        the address that it listens at (default 0.0.0.0)
    ``SYMPOZIUM_ADMISSION_PORT``        and the port (default 8443)
    ``SYMPOZIUM_ADMISSION_NAMES``       names and addresses of its certificate, with commas
                                        (default: those of its Service)
    ``SYMPOZIUM_ADMISSION_NAME``        of its Secret and its webhook configurations
                                        (default sympozium-admission)
    ==================================  =========================================================
    """

    system: str = SYSTEM_NAMESPACE
    host: str = "0.0.0.0"  # noqa: S104  in a pod, whose address nobody knows before
    port: int = PORT
    names: tuple[str, ...] = ()
    name: str = NAME
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    period: float = PERIOD

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises Ended (Usage)."""
        found: Callable[[str, str], str] = os.environ.get
        port = found("SYMPOZIUM_ADMISSION_PORT", str(PORT))
        if not port.isascii() or not port.isdigit() or int(port) >= 1 << 16:
            raise Ended(Reason.Usage, f"SYMPOZIUM_ADMISSION_PORT: {port!r} is no port")
        names = found("SYMPOZIUM_ADMISSION_NAMES", "")
        return cls(
            system=found("SYMPOZIUM_SYSTEM_NAMESPACE", SYSTEM_NAMESPACE),
            host=found("SYMPOZIUM_ADMISSION_HOST", cls.host),
            port=int(port),
            names=tuple(filter(None, (one.strip() for one in names.split(",")))),
            name=found("SYMPOZIUM_ADMISSION_NAME", NAME),
        )

    @property
    def certificate_names(self) -> tuple[str, ...]:
        service = f"{NAME}.{self.system}.svc"
        return self.names or (service, f"{service}.cluster.local")


async def serve_admission(
    api: KubeApi,
    settings: Settings,
    *,
    leads: Callable[[], bool] = lambda: True,
    lookup: Lookup | None = None,
    ready: asyncio.Event | None = None,
) -> None:
    """Until cancelled. ``leads``: does this replica lead, and so write the webhook configurations? ``lookup``: where
    objects are found, if not at the API server. ``ready`` is set once it listens. Raises Ended when it cannot listen.
    """
    keeper = Keeper(
        api,
        settings.system,
        settings.certificate_names,
        leads,
        settings.lifetimes,
        settings.period,
        secret=settings.name,
        configuration=settings.name,
    )
    answering = Answering(lookup or Live(api), Asking(api), settings.system)
    await _first(keeper)
    runner = await _listen(application(answering), keeper, settings)
    log("listening", address=f"{settings.host}:{settings.port}")
    if ready:
        ready.set()
    try:
        await keeper.keep()
    finally:
        await runner.cleanup()


async def _first(keeper: Keeper) -> None:
    """There is a certificate before anybody connects."""
    while True:
        try:
            await keeper.look()
            return
        except KubeError as error:
            log("certificates", error=error.message)
            await asyncio.sleep(1)


async def _listen(app: web.Application, keeper: Keeper, settings: Settings) -> web.AppRunner:
    from aiohttp import web

    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN)
    await runner.setup()
    site = web.TCPSite(
        runner, settings.host, settings.port, ssl_context=keeper.context, reuse_port=True, backlog=BACKLOG
    )
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        why = f"{settings.host}:{settings.port}: {error.strerror or error}"
        raise Ended(Reason.Usage, f"SYMPOZIUM_ADMISSION_PORT: cannot listen on {why}") from None
    return runner


def application(answering: Answering) -> web.Application:
    """The two halves of admission, and whether this server lives."""
    from aiohttp import web

    shares = Shares(AT_ONCE, OF_ONE)
    app = web.Application(client_max_size=LARGEST)
    app.router.add_post(JUDGE, _handler(answering.judge, shares))
    app.router.add_post(STAMP, _handler(answering.stamp, shares))
    app.router.add_get("/healthz", _healthy)
    return app


async def _healthy(_: web.Request) -> web.Response:
    from aiohttp import web

    return web.Response(text="ok\n")


def _handler(
    answer: Callable[[Request], Awaitable[Answer]], shares: Shares
) -> Callable[[web.Request], Awaitable[web.Response]]:
    from aiohttp import web

    async def handle(asked: web.Request) -> web.Response:
        try:
            request = request_of(await asked.read())
        except NoReview as fault:
            return web.json_response({"error": str(fault)}, status=400)
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"error": f"the body is larger than {LARGEST >> 20} MiB"}, status=413)
        found = await answered(request, answer, shares)
        return web.Response(body=encoded(request, found), content_type="application/json")

    return handle


async def answered(
    request: Request, answer: Callable[[Request], Awaitable[Answer]], shares: Shares, budget: float = BUDGET
) -> Answer:
    """The answer, or a denial that says why there is none."""
    try:
        async with asyncio.timeout(budget), shares.slot(who(request.user)):
            found = await answer(request)
    except TimeoutError:
        found = Answer(TOO_LATE, f"this could not be judged within {budget:.0f} s; try again")
    except Exception as error:  # noqa: BLE001  whatever it is, the object is not let in unjudged
        found = _failed(request, error)
    if found.code:
        log("denied", kind=request.kind, namespace=request.namespace, name=request.name, code=found.code)
    return found


def _failed(request: Request, error: Exception) -> Answer:
    for one in _each(error):
        if isinstance(one, KubeError):
            return Answer(UNAVAILABLE, f"what this leads to cannot be found out now: {one.message}; try again")
    log("failed", kind=request.kind, error=f"{type(error).__name__}: {error}")
    return Answer(500, "admission failed; its log says why")


def _each(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _each(inner)
    else:
        yield error
