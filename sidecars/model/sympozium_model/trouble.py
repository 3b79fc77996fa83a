"""What the SDKs' errors have in common: which of a server's words may be repeated, how long to leave it alone."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Mapping

from sympozium_model.provider import Failed

WORD = re.compile(r"[a-z]{2,24}(_[a-z]{2,24}){0,5}")
"""What an error code looks like. A key, which a server may quote anywhere, has digits, capitals or dashes."""


def said(status: int, code: str) -> str:
    """The sentence for an HTTP error; of the server's text only what is plainly an error code."""
    return f"the model's server answered {status}" + (f" ({code})" if WORD.fullmatch(code) else "")


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to be left alone; 0 when it does not say, or says a date."""
    try:
        found = float(headers.get("retry-after", "0"))
    except ValueError:
        return 0.0
    return found if math.isfinite(found) and found > 0 else 0.0


def broken(error: Exception) -> Failed:
    """A connection that could not be had, or broke off in the middle of an answer."""
    return Failed("unavailable", f"the model's server {_how(error)}", again=True)


def _how(error: Exception) -> str:
    """The system's own word for it, if there is one below the SDK's; never the text of an error, which may quote."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return "cannot be reached: its name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno:
            return f"cannot be reached: {(os.strerror(cause.errno)).lower()}"
        cause = cause.__cause__ or cause.__context__
    return f"broke off: {type(error).__name__}"


def unreadable(error: Exception) -> Failed:
    """An answer that the SDK cannot make sense of."""
    words = f"the model's server answered what is no completion ({type(error).__name__})"
    return Failed("invalid_answer", words, again=True)
