"""Why an API server cannot be used, in words: which one, what happened, and what to try. Pure."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

from sympozium_protocol.kube.errors import Away, Forbidden, KubeError, Unauthorized
from sympozium_protocol.kube.login import Login

_ELSEWHERE: Final = "or name another cluster with --context"
_ANONYMOUS: Final = 'User "system:anonymous"'
_PLAIN: Final = "HTTP request to an HTTPS server"


def server_of(known: Login) -> str:
    """The server as a person knows it."""
    return f"{known.server} (context {known.context})" if known.context else known.server


def told(error: KubeError, known: Login) -> str:
    """For a person; empty where the server has spoken for itself. ``known``: whom we asked, and as whom."""
    server = f"the API server {server_of(known)}"
    if isinstance(error, Unauthorized) or (isinstance(error, Forbidden) and _ANONYMOUS in error.message):
        what = "what the kubeconfig has to log in with is not valid there, or no longer"
        return f"{server} does not know who you are: {what}; log in again, {_ELSEWHERE}"
    if isinstance(error, Away):
        return f"{server} cannot be reached: {'; '.join(_why(error))}"
    if _PLAIN in error.message:
        return f"{server} cannot be reached: it speaks https, and its address in the kubeconfig begins with http"
    return ""


def briefly(error: KubeError) -> str:
    """What happened, without advice: for whoever tries again by itself."""
    return _why(error)[0] if isinstance(error, Away) else error.message


def _why(error: Away) -> tuple[str, str]:
    """What happened, and what to try. The client tells what it was doing; what failed is its exception's context."""
    fault = error.__context__
    inner = getattr(fault, "certificate_error", None) or getattr(fault, "os_error", None) or fault
    if isinstance(inner, ssl.SSLCertVerificationError):
        what = f"its certificate is not trusted ({inner.verify_message or inner})"
        return what, f"is the certificate-authority in the kubeconfig this cluster's? Get a new one, {_ELSEWHERE}"
    if isinstance(inner, ssl.SSLError):
        return f"what answers there does not speak TLS ({inner.reason or inner})", "is this the right port?"
    if isinstance(inner, socket.gaierror):
        return "there is no host of this name", f"check the address and your network (a VPN?), {_ELSEWHERE}"
    if isinstance(inner, TimeoutError) or (fault is None and "no answer in time" in error.message):
        return "it does not answer", f"check your network (a VPN, a firewall?), {_ELSEWHERE}"
    if getattr(inner, "errno", None) == errno.ECONNREFUSED:
        return "nothing listens there", f"is the cluster running, and is this its address? Start it, {_ELSEWHERE}"
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower(), f"check the address and your network, {_ELSEWHERE}"
    said = " ".join(str(fault or error.message).split())
    return f"the connection was lost ({said})", "try again"
