"""What the libraries log, as lines of JSON beside our own."""

from __future__ import annotations

import logging
import traceback

from starlette.requests import ClientDisconnect

from sympozium_protocol.process import log


class Lines(logging.Handler):
    """One line a record, its traceback within it. That a client went away is no fault, and no line."""

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, ClientDisconnect):
            return
        more = {"traceback": "".join(traceback.format_exception(fault))} if fault else {}
        log(record.getMessage(), logger=record.name, level=record.levelname.lower(), **more)


def to_lines() -> None:
    """From now on, for warnings and what is worse."""
    logging.basicConfig(level=logging.WARNING, handlers=[Lines()])
