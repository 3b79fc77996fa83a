"""What a pack asks for beside its tools: rights in a cluster, ways out, a secret, parameters, programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sympozium_cli.skills_lint.findings import Findings
from sympozium_controller.objects.skillpack import Rule, Sidecar, SkillPackSpec

READING: Final = frozenset({"get", "list", "watch"})
_SECRET_LIKE: Final = re.compile(r"(?i)(token|password|passwd|secret|api_?key|credential)")
_EGRESS: Final = re.compile(r"kubernetes|[0-9a-fA-F.:]+/\d{1,3}:\d{1,5}")
_ESCALATING: Final = frozenset({"bind", "escalate", "impersonate"})
_WAYS_IN: Final = frozenset({"pods/exec", "pods/attach", "pods/portforward", "nodes/proxy", "services/proxy"})


def check_rights(spec: SkillPackSpec, instructions: str, findings: Findings) -> None:
    """Of a pack whose fields are right."""
    _check_about(spec, findings)
    _check_params(spec, instructions, findings)
    sidecar = spec.sidecar
    if sidecar is None:
        return
    if sidecar.commands == ():
        findings.warning("sidecar.commands", "[] lets any program of the image be started", "list the programs")
    if not sidecar.image:
        findings.warning("sidecar", "image is not stated: containers would take one named skill", "write image: NAME")
    for way in sidecar.egress:
        if not _EGRESS.fullmatch(way):
            findings.error("sidecar.egress", f"{way} is no way out", "write kubernetes, or CIDR:PORT as 10.0.0.0/8:443")
    for field, rules in (("rbac", sidecar.rbac), ("clusterRBAC", sidecar.cluster_rbac)):
        for number, rule in enumerate(rules):
            for what, mend in _wide(rule, sidecar):
                findings.warning(f"sidecar.{field}.{number}", what, mend)


def _check_about(spec: SkillPackSpec, findings: Findings) -> None:
    for field in ("category", "description"):
        if not getattr(spec, field).strip():
            findings.warning(field, "missing: people choose a pack by it", f"write {field}: …")


def _check_params(spec: SkillPackSpec, instructions: str, findings: Findings) -> None:
    sidecar = spec.sidecar
    read = [instructions, *(text for tool in (sidecar.tools if sidecar else ()) for text in (*tool.argv, tool.stdin))]
    variables = {name: "PARAM_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper() for name in spec.params}
    for name, variable in variables.items():
        if sidecar is None:
            findings.warning(f"params.{name}", "parameters are variables of a sidecar, and there is none")
        elif not any(re.search(rf"\b{variable}\b", text) for text in read):
            findings.warning(f"params.{name}", f"nothing reads ${variable}", "name it in a tool or in SKILL.md")
        if _SECRET_LIKE.search(name):
            findings.warning(f"params.{name}", "parameters are no place for secrets", "use secretRef")
    for variable in sorted(set(re.findall(r"\bPARAM_[A-Z0-9_]+\b", "\n".join(read))) - {*variables.values()}):
        if variable != "PARAM_NAMESPACES":  # skillConfig gives it
            findings.error("params", f"there is no parameter for ${variable}", "state it here, with its default")


def _wide(rule: Rule, sidecar: Sidecar) -> Iterator[tuple[str, str]]:
    """What is wider than a reviewer would let pass, and what to do."""
    for field, values in (("apiGroups", rule.api_groups), ("resources", rule.resources), ("verbs", rule.verbs)):
        if "*" in values:
            yield f"{field}: '*' is whatever there will ever be", "name them"
        if not values:
            yield f"{field} is empty: the rule allows nothing", 'name them; the core group is ""'
    if "secrets" in rule.resources and not rule.resource_names:
        yield "lets every Secret of the namespace be read or changed", "name those that are needed by resourceNames"
    for resource in sorted(_WAYS_IN & set(rule.resources)):
        yield f"{resource} lets it act as any workload", "leave it out"
    for verb in sorted(_ESCALATING & set(rule.verbs)):
        yield f"{verb} lets it take rights that it was not given", "leave it out"
    writes = sidecar.commands is not None or any(tool.effect != "read" for tool in sidecar.tools)
    if not writes and (changing := sorted(set(rule.verbs) - READING - {"*"})):
        yield f"no tool writes, but {', '.join(changing)} may change things", "leave these verbs out"
