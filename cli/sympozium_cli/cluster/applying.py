"""Server-side apply, object by object, and what became of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sympozium_cli.cluster.connecting import ended, not_installed
from sympozium_cli.cluster.tables import full_name
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError, NotFound
from sympozium_protocol.kube.login import Login
from sympozium_protocol.kube.resources import KNOWN, Resource

What = Literal["created", "configured", "unchanged"]


@dataclass(frozen=True, slots=True)
class Document:
    """An object as its author wrote it. ``origin``: where, for whoever is told of a fault."""

    value: KubeObject
    origin: str = ""

    @property
    def resource(self) -> Resource:
        """Raises Ended (InvalidDocument)."""
        kind = (str(self.value.get("apiVersion")), str(self.value.get("kind")))
        if kind not in KNOWN:
            raise Ended(Reason.InvalidDocument, f"{self.origin}: {kind[1]} of {kind[0]} is not applied by this command")
        return KNOWN[kind]

    @property
    def name(self) -> str:
        return str(self.value["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Asked:
    """``namespace``: of objects that name none."""

    manager: str
    namespace: str
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """``object`` is as the server has it now."""

    name: str
    what: What
    object: KubeObject


BOOKKEEPING: Final = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation")
"""What ``kubectl get -o yaml`` shows and nobody can apply."""


def documents_in(files: Sequence[str]) -> list[Document]:
    """The objects of files and directories, checked as by every command. Raises Ended, naming file and field."""
    from sympozium_cli import inputs
    from sympozium_controller.yamltext import documents

    inputs.documents(files)  # what is wrong is said in our own words, before anything is applied
    found = []
    for path in inputs.expand(files):
        for _, value in documents(inputs.read(path)):
            members = value["items"] if value.get("kind") == "List" else [value]
            found += [Document(_content(one), str(path)) for one in members]
    return found


async def apply_all(api: Client, documents: Sequence[Document], asked: Asked) -> AsyncIterator[Done]:
    """One after the other, in their order. Raises Ended for the first that is refused, naming it."""
    for document in documents:
        yield await apply_one(api, document, asked)


async def apply_one(api: Client, document: Document, asked: Asked) -> Done:
    """Raises Ended."""
    resource, metadata = document.resource, document.value["metadata"]
    namespace = str(metadata.get("namespace") or asked.namespace) if resource.namespaced else ""
    where = f" in {namespace}" if namespace else ""
    shown = full_name(resource, document.name)
    try:
        before = await found(api, resource, document.name, namespace)
        after = await api.patch(
            resource,
            document.name,
            document.value,
            namespace,
            type="apply",
            manager=asked.manager,
            force=asked.force,
            dry_run=asked.dry_run,
        )
    except KubeError as error:
        raise _refusal(error, api.login, document, resource, f"{shown}{where}") from None
    return Done(shown, _what(before, after), after)


def _refusal(error: KubeError, known: Login, document: Document, resource: Resource, shown: str) -> Ended:
    what = f"{document.origin}: {shown}" if document.origin else shown
    if isinstance(error, NotFound) and not error.details.get("name"):
        return not_installed(resource)
    return ended(error, known, what)


async def found(api: Client, resource: Resource, name: str, namespace: str) -> KubeObject | None:
    """None where there is no such object."""
    try:
        return await api.get(resource, name, namespace)
    except NotFound:
        return None


def _what(before: KubeObject | None, after: KubeObject) -> What:
    """By content: what a dry run would change has no new version."""
    if before is None:
        return "created"
    return "unchanged" if _content(before) == _content(after) else "configured"


def _content(one: KubeObject) -> KubeObject:
    metadata = {name: value for name, value in one["metadata"].items() if name not in BOOKKEEPING}
    return {name: value for name, value in one.items() if name != "status"} | {"metadata": metadata}
