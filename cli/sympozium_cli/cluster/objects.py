"""Objects of a cluster by their kinds: list, get, apply, delete, and the one change of a run, which is to cancel it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympozium_cli.cluster import tables
from sympozium_cli.cluster.applying import Asked, apply_all, documents_in
from sympozium_cli.cluster.connecting import MANAGER, at_once, check_namespace, not_installed
from sympozium_cli.cluster.rights import needed
from sympozium_cli.cluster.there import There
from sympozium_cli.terminal import standard_error, visible
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client, whole
from sympozium_protocol.kube.errors import Forbidden, NotFound
from sympozium_protocol.kube.resources import RUNS, Resource


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at, and how it is shown."""

    resource: Resource
    there: There
    output: str = "table"
    everywhere: bool = False
    """Of all namespaces."""
    name: str = ""
    also: str = ""
    """A further namespace that is listed: what is in it is everybody's."""

    def further(self, namespace: str) -> str:
        """The same, where it is not what is listed anyhow."""
        return "" if self.everywhere or self.name or self.also == namespace else self.also


def show(look: Look) -> None:
    """``list``, and ``get`` where the look has a name. Raises Ended."""
    if look.output in ("table", "wide"):
        _show_table(look)
        return
    found = at_once(look.there, lambda api: _found(api, look))
    if look.output == "name":
        text = "".join(f"{tables.full_name(look.resource, one['metadata']['name'])}\n" for one in found)
    else:
        value = tables.plain(found[0]) if look.name else tables.listed([tables.plain(one) for one in found])
        written = tables.as_yaml if look.output == "yaml" else tables.as_json
        text = written(value, ascii_only=sys.stdout.isatty())
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")


def _show_table(look: Look) -> None:
    table, namespace = at_once(look.there, lambda api: _table(api, look))
    if not table.get("rows"):
        where = "" if look.everywhere else f" in {namespace} namespace"
        standard_error().line(f"No resources found{where}.")
        return
    namespaces = look.everywhere or bool(look.further(namespace))
    for line in tables.lines_of(tables.rows_of(table, namespaces=namespaces, wide=look.output == "wide")):
        sys.stdout.write(line + "\n")


async def _table(api: Client, look: Look) -> tuple[KubeObject, str]:
    namespace = api.login.namespace
    try:
        table = await api.table(look.resource, look.name, "" if look.everywhere else namespace)
        if not (table.get("rows") or look.everywhere):
            await check_namespace(api, namespace)
    except NotFound as error:
        raise await missing(api, look.resource, error, namespace, _named(look.resource, look.name)) from None
    if also := look.further(namespace):
        with _seen_by_few(look.resource, also):
            shared = await api.table(look.resource, "", also)
            table = {**table, "rows": [*(table.get("rows") or ()), *(shared.get("rows") or ())]}
    return table, namespace


async def _found(api: Client, look: Look) -> list[KubeObject]:
    namespace = "" if look.everywhere else api.login.namespace
    try:
        if look.name:
            return [await api.get(look.resource, look.name, namespace)]
        found = [one async for one in whole(api, look.resource, namespace)]
        if not found and namespace:
            await check_namespace(api, namespace)
    except NotFound as error:
        raise await missing(api, look.resource, error, namespace, _named(look.resource, look.name)) from None
    if also := look.further(namespace):
        with _seen_by_few(look.resource, also):
            found += [one async for one in whole(api, look.resource, also)]
    return found


@contextlib.contextmanager
def _seen_by_few(resource: Resource, namespace: str) -> Iterator[None]:
    """Who may not see a further namespace is told so, and sees the rest."""
    try:
        yield
    except Forbidden:
        right = needed("list", resource, namespace)
        standard_error().line(f"! those of {namespace}, which are everybody's, are not shown: it takes {right}")


def _named(resource: Resource, name: str) -> str:
    return tables.full_name(resource, name) if name else ""


async def missing(api: Client, resource: Resource, error: NotFound, namespace: str, what: str = "") -> Ended:
    """No such object; or no such namespace, or no such kind of object, because nothing of ours is installed.

    Raises Ended (MissingReference) for the namespace.
    """
    if not error.details.get("name"):
        return not_installed(resource)
    await check_namespace(api, namespace)
    why = f"{what}: there is no {resource.kind} of this name in {namespace}"
    return Ended(Reason.RunNotFound if resource == RUNS else Reason.MissingReference, why)


def apply(files: Sequence[str], there: There, *, dry_run: bool, force: bool) -> None:
    """``apply -f``: each object, and what became of it, on standard output. Raises Ended."""
    documents = documents_in(files)

    async def work(api: Client) -> None:
        asked = Asked(MANAGER, api.login.namespace, force=force, dry_run=dry_run)
        async for done in apply_all(api, documents, asked):
            mark = " (server dry run)" if dry_run else ""
            sys.stdout.write(f"{visible(done.name)} {done.what}{mark}\n")

    at_once(there, work)


def delete(resource: Resource, names: Sequence[str], there: There) -> None:
    """Told of each; gone when whoever has a finalizer on it has done what is to be done. Raises Ended."""

    async def work(api: Client) -> None:
        for name in names:
            try:
                await api.delete(resource, name, api.login.namespace)
            except NotFound as error:
                what = tables.full_name(resource, name)
                raise await missing(api, resource, error, api.login.namespace, what) from None
            sys.stdout.write(f"{tables.full_name(resource, visible(name))} deleted\n")

    at_once(there, work)


def cancel(name: str, there: There) -> None:
    """``spec.cancel``: the run ends as Cancelled, and it cannot be taken back. Raises Ended."""
    at_once(there, lambda api: cancel_run(api, name, api.login.namespace))
    standard_error().line("told to end")


async def found_run(api: Client, name: str, namespace: str) -> KubeObject:
    """The AgentRun as it is now. Raises Ended (RunNotFound, MissingReference), KubeError."""
    try:
        return await api.get(RUNS, name, namespace)
    except NotFound as error:
        raise await missing(api, RUNS, error, namespace, name) from None


async def cancel_run(api: Client, name: str, namespace: str) -> None:
    """Raises Ended (RunNotFound, RunFinished), KubeError."""
    try:
        run = await found_run(api, name, namespace)
        if (run.get("status") or {}).get("completionTime"):
            raise Ended(Reason.RunFinished, f"{name}: has ended")
        await api.patch(RUNS, name, {"spec": {"cancel": True}}, namespace, manager=MANAGER)
    except NotFound as error:
        raise await missing(api, RUNS, error, namespace, name) from None
