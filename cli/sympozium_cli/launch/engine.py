"""The container engine: finding it, and saying in one sentence why it cannot be used."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sympozium_protocol.exits import Ended, Reason

if TYPE_CHECKING:
    from docker import APIClient

OLDEST: Final = (1, 41)
"""Of the engine's API: Docker 20.10, the first whose containers have all that is asked for."""
SECONDS: Final = 60
"""Per request; waiting for a container's end and reading its output have no bound."""
NEVER: Final = 10 * 365 * 24 * 3600
BUILD: Final = (
    "`make images` (or docker buildx bake all) builds ours, docs/images.md tells how to build one of your own; "
    "--registry and --tag name others"
)

_Found = TypeVar("_Found")


class Engine:
    """One engine, asked from threads: each has a client of its own."""

    def __init__(self) -> None:
        """Raises Ended when none answers, or one that cannot do what is needed."""
        try:
            import docker
        except ImportError:
            why = "containers need the Python package docker: pip install 'sympozium-cli[compose]'"
            raise Ended(Reason.MissingReference, why) from None
        self._docker = docker
        self.address = _address(docker)
        if not self.address.startswith(("unix://", "npipe://")):
            why = "is another machine, without the run's directory; render a file for it: sympozium render compose"
            raise Ended(Reason.Usage, f"{self.address}: {why}")
        told = self._first_word()
        self.version: str = told["ApiVersion"]
        self.architecture: str = told["Arch"]

    def _first_word(self) -> dict[str, Any]:
        try:
            client = self._docker.APIClient(base_url=self.address, version="1.24", timeout=SECONDS)
            told: dict[str, Any] = client.version(api_version=False)
        except Exception as error:  # noqa: BLE001  the library wraps the system's errors in many of its own
            raise Ended(Reason.MissingReference, f"{self.address}: {_unreachable(error)}") from None
        if not isinstance(told, dict) or not told.get("Arch") or not _numbers(str(told.get("ApiVersion"))):
            raise Ended(Reason.MissingReference, f"{self.address}: what answers there is no engine")
        if _numbers(told["ApiVersion"]) < OLDEST:
            why = f"engine {told.get('Version', '')} is too old: Docker 20.10 or newer is needed"
            raise Ended(Reason.MissingReference, f"{self.address}: {why}")
        return told

    def client(self, *, waits: bool = False) -> APIClient:
        """A client for one thread. ``waits``: its requests have no bound in time."""
        return self._docker.APIClient(base_url=self.address, version=self.version, timeout=NEVER if waits else SECONDS)

    def ask(self, request: Callable[[APIClient], _Found]) -> _Found:
        """Raises Ended for whatever the engine refuses."""
        client = self.client()
        try:
            return request(client)
        except Exception as error:  # noqa: BLE001  the library wraps the system's errors in many of its own
            raise self.told(error) from None
        finally:
            client.close()

    def told(self, error: BaseException) -> Ended:
        """An error of the library as a typed reason."""
        if isinstance(error, Ended):
            return error
        if isinstance(error, self._docker.errors.APIError):
            return refused(str(error.explanation or error))
        return Ended(Reason.EngineLost, f"{self.address}: {_unreachable(error)}")

    def gone(self, error: BaseException) -> bool:
        """Does the engine say that there is no such thing, or that somebody removes it already?"""
        missing = isinstance(error, self._docker.errors.NotFound)
        return missing or "is already in progress" in str(error)

    def check_images(self, images: Iterable[str]) -> None:
        """Raises Ended (MissingReference) with all that are not there, or are of another architecture."""
        names = sorted(set(images))
        with ThreadPoolExecutor(len(names)) as threads:
            found = dict(zip(names, threads.map(self._architecture_of, names), strict=True))
        absent = [name for name, architecture in found.items() if architecture is None]
        if absent:
            are = "are not there" if len(absent) > 1 else "is not there"
            raise Ended(Reason.MissingReference, f"images: {', '.join(absent)} {are}; {BUILD}")
        for name, architecture in found.items():
            if architecture != self.architecture:
                why = f"is of {architecture}, and the engine's machine is of {self.architecture}; {BUILD}"
                raise Ended(Reason.MissingReference, f"image {name}: {why}")

    def _architecture_of(self, image: str) -> str | None:
        def inspect(client: APIClient) -> str | None:
            try:
                found: dict[str, Any] = client.inspect_image(image)  # type: ignore[no-untyped-call]
                return str(found.get("Architecture") or self.architecture)
            except self._docker.errors.ImageNotFound:
                return None

        return self.ask(inspect)

    def check_runtime(self, runtime: str) -> None:
        """Raises Ended (PolicyUnsatisfiable) when the engine has no such runtime."""
        if runtime and runtime not in self.ask(lambda client: client.info()).get("Runtimes", {}):
            why = f"a policy of this run demands a sandbox, and the engine has no runtime {runtime}"
            raise Ended(Reason.PolicyUnsatisfiable, f"{self.address}: {why}")


def refused(explanation: str) -> Ended:
    """The engine's own words as a typed reason."""
    said = " ".join(explanation.split())
    if os.strerror(errno.ENOSPC).lower() in said.lower():
        return Ended(Reason.DiskFull, f"engine: {said}")
    if "is already in use by container" in said or "already exists" in said:
        return Ended(Reason.RunLocked, f"engine: {said}; `sympozium runs prune` removes what a run left")
    if "address pools" in said or "non-overlapping IPv4" in said:
        return Ended(Reason.EngineLost, f"engine: {said}; too many networks: `sympozium runs prune`")
    return Ended(Reason.EngineLost, f"engine: {said}")


def _address(docker: Any) -> str:
    """DOCKER_HOST, else that of the current context, else the usual socket."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    try:
        context = docker.ContextAPI.get_current_context()
        return str(context.Host or docker.constants.DEFAULT_UNIX_SOCKET)
    except Exception:  # noqa: BLE001  a context that cannot be read is one that nobody has chosen
        return "unix:///var/run/docker.sock"


def _numbers(version: str) -> tuple[int, ...]:
    """Of a version such as 1.41; empty for what is none."""
    parts = version.split(".")[:2]
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def _unreachable(error: BaseException) -> str:
    """Why an engine does not answer, and what to do."""
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        return "you may not use this engine; join its group (docker), or use rootless Docker"
    if "FileNotFoundError" in text or "No such file" in text or "ConnectionRefused" in text or "refused" in text:
        return "no engine answers; start Docker, or name another with DOCKER_HOST"
    if "timed out" in text.lower():
        return f"the engine did not answer within {SECONDS} s"
    return f"the engine does not answer: {' '.join(text.split())}"
