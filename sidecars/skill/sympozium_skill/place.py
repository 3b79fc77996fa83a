"""Where and with what a command runs: its working directory, its environment, its programs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

ORDINARY: Final = (
    "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR",
    "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "AWS_PROFILE", "AWS_REGION",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""What programs need to find their home, their cluster and the way out; none of it is a secret's value."""

_DEFAULTS: Final = {"HOME": "/tmp", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108  private to the container
_PASSABLE: Final = re.compile(r"(?!SYMPOZIUM_)[A-Za-z_][A-Za-z0-9_]*")


class BadDirectory(ValueError):
    """A working directory that is refused; the text is for the model."""


def names_passed(own: Mapping[str, str]) -> list[str]:
    """The names in SYMPOZIUM_PASS."""
    return re.split(r"[,\s]+", own.get("SYMPOZIUM_PASS", ""))


def environment(own: Mapping[str, str], path: str) -> dict[str, str]:
    """A command's variables: ``path``, the ordinary ones, and those that SYMPOZIUM_PASS names; nothing else."""
    passed = {name: own[name] for name in names_passed(own) if _PASSABLE.fullmatch(name) and name in own}
    ordinary = {name: own[name] for name in ORDINARY if name in own}
    return {**_DEFAULTS, **ordinary, **passed, "PATH": path, "TERM": "dumb"}


def open_workdir(workspace: Path, wanted: str) -> int:
    """The directory, opened (O_PATH), links resolved. Raises BadDirectory outside ``workspace``."""
    shown = wanted or "the workspace"
    if "\0" in wanted:
        raise BadDirectory("workdir: holds a NUL character")
    try:
        fd = os.open(workspace / wanted, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BadDirectory(f"workdir: {shown}: {(error.strerror or 'cannot be opened').lower()}") from None
    # what was opened is judged, not what the name might lead to a moment later
    real = Path(os.readlink(f"/proc/self/fd/{fd}"))
    if not real.is_relative_to(workspace.resolve()):
        os.close(fd)
        raise BadDirectory(f"workdir: {shown} is outside the workspace")
    return fd


def link_programs(names: Iterable[str], directory: Path, path: str) -> dict[str, str]:
    """Make ``directory`` a PATH that holds these programs and no other; where each was found."""
    found = {}
    for name in names:
        target = shutil.which(name, path=path)
        if target is None:
            continue
        link = directory / name
        link.symlink_to(os.path.abspath(target))
        found[name] = str(link)
    return found
