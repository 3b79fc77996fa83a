"""What the libraries say goes into our log: in one line, without secrets, and not without end."""

from __future__ import annotations

import logging
from typing import Final

from sympozium_mcp.secrets import Redactor
from sympozium_mcp.window import Window
from sympozium_protocol.process import log

LINES: Final = 20
EVERY: Final = 10.0
"""At most so many lines in so many seconds: most are caused by servers, which could cause one with every message."""
WIDTH: Final = 300


class Heard(logging.Handler):
    """Takes the place of Python's own handler of last resort, which would write tracebacks to standard error."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(logging.WARNING)
        self._redactor = redactor
        self._window = Window(LINES, EVERY)

    def emit(self, record: logging.LogRecord) -> None:
        if self._window.allows():
            text = " ".join(self._redactor.text(record.getMessage()).split())
            log("library says", library=record.name, text=text[:WIDTH])


def hear(redactor: Redactor) -> None:
    """From now on."""
    logging.getLogger().addHandler(Heard(redactor))
