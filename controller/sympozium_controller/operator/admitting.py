"""Admission beside the controller: every copy of it answers, and the one that leads keeps what makes the server ask."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from sympozium_protocol.kube.api import KubeApi

ASKED_FOR: Final = "SYMPOZIUM_ADMISSION_PORT"
"""Whoever sets it wants admission served here."""


class Admitting:
    """``leads``: does this copy lead?"""

    def __init__(self, api: KubeApi, leads: Callable[[], bool]) -> None:
        self._api = api
        self._leads = leads
        self.wanted = bool(os.environ.get(ASKED_FOR))
        self._listens = asyncio.Event()

    def waiting_for(self) -> str:
        """Empty: nothing."""
        return "" if not self.wanted or self._listens.is_set() else "the certificates of admission"

    async def run(self) -> None:
        """Until cancelled. Raises Ended when it cannot listen."""
        if not self.wanted:
            return
        from sympozium_controller.admission.server import Settings, serve_admission

        settings = Settings.from_environment()
        await serve_admission(self._api, settings, leads=self._leads, ready=self._listens)
