"""A ValidatingAdmissionPolicy before exec and attach: who starts a program beside a token of the bus has it. Pure.

Kubernetes' edit may exec into every pod of its namespace, and whoever is in the gate of a run writes its verdicts: he
approves what he has no right to approve. A request to connect has no labels, so pods are known by the names that their
Jobs and Deployments give them, which nobody else gives by chance, and gates by the container's name. Agent and skills
are left open: their tokens and Secrets are had by whoever may make pods there. Who may do everything may do this too.
"""

from __future__ import annotations

from typing import Any, Final

from sympozium_controller.crds.policies import Validation, bound
from sympozium_controller.lifecycle.restore import NAME as RESTORE
from sympozium_controller.memory import MEMORY
from sympozium_controller.names import PREFIX, SERVICE_DIGITS
from sympozium_controller.providers import MODEL
from sympozium_protocol.layout import BRIDGE

GATES: Final = (BRIDGE, RESTORE)
"""Containers of a run's pod that hold its token."""
OF_RUNS: Final = "-[0-9a-f]{9}[0-9a-f]?(-[0-9]*)*[a-z0-9]{5}$"
"""``names.job_name`` and what the Job controller adds: a dash, and five characters after at most 58 of it all."""
OF_SERVICES: Final = f"^{PREFIX}-({MODEL}|{MEMORY})-[0-9a-f]{{{SERVICE_DIGITS}}}-"


def doors() -> tuple[dict[str, Any], ...]:
    """The policy and its binding."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["*"],
        "resources": ["pods/exec", "pods/attach"],
        "operations": ["CONNECT"],
    }
    everything = "authorizer.group('*').resource('*').check('*').allowed()"
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "not-everything", "expression": f"!{everything}"}],
    }
    gate = f"dyn(object).?container.orValue('') in {list(GATES)} && request.name.matches('{OF_RUNS}')"
    return bound(
        f"{PREFIX}-doors",
        spec,
        Validation(f"!({gate})", "the gate of a run: who is in it approves for everybody, so only a cluster admin is"),
        Validation(
            f"!request.name.matches('{OF_SERVICES}')",
            "a service of runs: who is in it speaks to every run of the namespace, so only a cluster admin is",
        ),
    )
