"""Where the bus is, by address: pods that reach it alone ask no name server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from sympozium_controller.lifecycle.plan import Place
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.errors import Away, Busy, NotFound
from sympozium_protocol.kube.resources import SERVICES
from sympozium_protocol.process import log

AGAIN: Final = 1.0
"""Seconds until a server that does not answer is asked again."""


async def with_address(api: KubeApi, place: Place, system: str) -> Place:
    """With the address of the Service that the bus's URL names, where it names one of the system namespace and no
    address was given. A Service keeps its address as long as it lives. Raises KubeError."""
    if place.bus is None or place.bus.address:
        return place
    name, *rest = (urlsplit(place.bus.url).hostname or "").split(".")
    if rest[:2] != [system, "svc"]:
        return place
    address = await _address(api, name, system)
    return replace(place, bus=replace(place.bus, address=address))


async def _address(api: KubeApi, name: str, namespace: str) -> str:
    while True:
        try:
            service = await api.get(SERVICES, name, namespace)
        except NotFound:
            log("no address of the bus", why=f"there is no Service {name} in {namespace}")
            return ""
        except (Away, Busy) as error:
            log("no address of the bus", why=error.message, again=AGAIN)
            await asyncio.sleep(AGAIN)
            continue
        address = service["spec"].get("clusterIP") or ""
        return "" if address == "None" else str(address)
