"""Which cluster is meant, and as whom, as the command line says it. Light: every command may import it."""

from __future__ import annotations

from dataclasses import dataclass

from sympozium_protocol.exits import Ended, Reason


@dataclass(frozen=True, slots=True)
class There:
    """As kubectl has it: empty means the kubeconfig's own, or the environment's."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    token: str = ""
    """A file with a token that the cluster knows, to show to the bus; empty: the kubeconfig's."""

    def words(self, namespace: str) -> str:
        """The options that lead another command of the same person there; ``namespace``: the effective one."""
        named = (
            ("--kubeconfig", self.kubeconfig),
            ("--context", self.context),
            ("-n", namespace),
            ("--bus-token", self.token),
        )
        return " ".join(("--on cluster", *(f"{option} {value}" for option, value in named if value)))


def there_of(on: str | None, kubeconfig: str, context: str, namespace: str) -> There | None:
    """What the options say; None where the run is not on a cluster. Raises Ended (Usage)."""
    for option, said in (("--kubeconfig", kubeconfig), ("--context", context)):
        if said and on != "cluster":
            raise Ended(Reason.Usage, f"command line: {option}: needs --on cluster")
    return There(kubeconfig, context, namespace) if on == "cluster" else None


def check_no_cluster(kubeconfig: str, context: str, namespace: str) -> None:
    """For a run that is not on one. Raises Ended (Usage)."""
    for option, said in (("--kubeconfig", kubeconfig), ("--context", context), ("--namespace", namespace)):
        if said:
            raise Ended(Reason.Usage, f"command line: {option}: needs --on cluster")


def check_installed() -> None:
    """Raises Ended (MissingReference) without the client that speaks to an API server."""
    from importlib.util import find_spec

    if find_spec("kubernetes") is None:
        why = "a cluster needs the Python package kubernetes: pip install 'sympozium-cli[cluster]'"
        raise Ended(Reason.MissingReference, why)
