"""assemble: RunSpec → Pod. Which programs there are, and who sees what of whom. Pure.

The mounts follow the arrows of /ipc: one volume per writer and set of readers, writable by that one
program; /workspace, which is content and not protocol, is the exception.
"""

from __future__ import annotations

from typing import Final

from sympozium_controller import memory
from sympozium_controller.outfit import Outfit, SkillOutfit
from sympozium_controller.pod import Mount, Pod, Program
from sympozium_protocol import layout
from sympozium_protocol.files import digest
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec

IPC: Final = "/ipc"
WORKSPACE: Final = "/workspace"
PACKS: Final = "/packs"

_LOCALE: Final = ("LANG", "LC_ALL", "TZ")
_NETWORK: Final = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_DEVELOPER: Final = ("PATH", "HOME", "USER", "LOGNAME", "KUBECONFIG", "AWS_PROFILE", "AWS_REGION")
"""What commands on a laptop need to act as its developer, who is named as not enforced."""


def assemble(spec: RunSpec, outfit: Outfit) -> Pod:
    """The pod of a run: the agent, the gate, and a program per participant that lives in the pod."""
    run = spec.encode()
    told = digest(run)
    living = tuple(p for p in spec.participants if p.placement == "pod")
    return Pod(
        name=spec.run,
        run=run,
        agent=_agent(spec, outfit, told),
        bridge=_bridge(spec, told),
        participants=tuple(_participant(p, spec, outfit, told) for p in living),
        packs=tuple(outfit.skills[p.name].files for p in living if p.name in outfit.skills),
        sandbox=any(policy.sandbox for policy in spec.policies),
        runtime_class=next((p.runtime_class for p in spec.policies if p.sandbox and p.runtime_class), ""),
        disk=spec.limits.disk,
        placing=outfit.placing,
    )


def _agent(spec: RunSpec, outfit: Outfit, run_digest: str) -> Program:
    fetches = any(tool.name == "fetch_url" for tool in spec.native.tools)
    return Program(
        name="agent",
        image="agent",
        command=("sympozium-agent",),
        mounts=_agent_mounts(spec),
        env=_env("agent", run_digest),
        resources=outfit.agent_resources,
        egress=("*",) if fetches else (),
        inherits=(*_LOCALE, *(_NETWORK if fetches else ())),
    )


def _bridge(spec: RunSpec, run_digest: str) -> Program:
    return Program(
        name="bridge",
        image="ipc-bridge",
        command=("sympozium-bridge",),
        mounts=_bridge_mounts(spec),
        env=_env("bridge", run_digest),
        inherits=_LOCALE,
    )


def _participant(participant: ParticipantSpec, spec: RunSpec, outfit: Outfit, run_digest: str) -> Program:
    if participant.name == spec.model.participant:
        return _model(participant, spec, outfit, run_digest)
    if participant.role == "memory":
        return _memory(participant, spec, run_digest)
    if participant.role == "mcp":
        return _mcp(participant, spec, outfit, run_digest)
    return _skill(participant, spec, outfit.skills[participant.name], run_digest)


def _model(participant: ParticipantSpec, spec: RunSpec, outfit: Outfit, run_digest: str) -> Program:
    offline = spec.model.provider in ("scripted", "replay")
    return Program(
        name=participant.name,
        image="model",
        command=("sympozium-model",),
        mounts=_model_mounts(spec),
        env=_env(participant.name, run_digest),
        secrets=outfit.model_secrets,
        egress=() if offline else (spec.model.base_url or spec.model.provider,),
        inherits=(*_LOCALE, *(() if offline else _NETWORK), *outfit.model_inherits),
    )


def _skill(participant: ParticipantSpec, spec: RunSpec, outfit: SkillOutfit, run_digest: str) -> Program:
    name = participant.name
    passed = (*(variable for variable, _ in outfit.params), *(secret.variable for secret in outfit.secrets))
    return Program(
        name=name,
        image=outfit.image,
        command=("sympozium-skill",),
        mounts=_skill_mounts(name),
        env=(
            *_env(name, run_digest),
            ("SYMPOZIUM_PACK", f"{PACKS}/{name}"),
            ("SYMPOZIUM_PASS", " ".join(passed)),
            *outfit.params,
        ),
        secrets=outfit.secrets,
        resources=outfit.resources,
        identity=spec.run if outfit.has_rights else "",
        egress=outfit.egress,
        inherits=(*_DEVELOPER, *_LOCALE, *_NETWORK),
    )


def _memory(participant: ParticipantSpec, spec: RunSpec, run_digest: str) -> Program:
    """The one program with a volume that outlives the run."""
    name = participant.name
    return Program(
        name=name,
        image="memory",
        command=("sympozium-memory",),
        mounts=(*_own_mounts(name), Mount(memory.volume(spec.agent), memory.DIRECTORY, writable=True)),
        env=(*_env(name, run_digest), ("SYMPOZIUM_MEMORY", f"{memory.DIRECTORY}/{memory.FILE}")),
        inherits=_LOCALE,
    )


def _mcp(participant: ParticipantSpec, spec: RunSpec, outfit: Outfit, run_digest: str) -> Program:
    """It speaks to every MCP server of the run; those of stdio are its children."""
    name = participant.name
    return Program(
        name=name,
        image="mcp-bridge",
        command=("sympozium-mcp",),
        mounts=_own_mounts(name),
        env=_env(name, run_digest),
        secrets=outfit.mcp_secrets,
        egress=tuple(server.url or "*" for server in spec.servers),
        inherits=(*_DEVELOPER, *_LOCALE, *_NETWORK),
    )


def _env(name: str, run_digest: str) -> tuple[tuple[str, str], ...]:
    return (
        ("SYMPOZIUM_IPC", IPC),
        ("SYMPOZIUM_PARTICIPANT", name),
        ("SYMPOZIUM_RUN_DIGEST", run_digest),
        ("SYMPOZIUM_WORKSPACE", WORKSPACE),
    )


def _ipc(place: layout.Place, *, writable: bool = False) -> Mount:
    return Mount(layout.volume(place), "/".join((IPC, *place)), writable)


def _tmp(name: str) -> Mount:
    return Mount(f"tmp-{name}", "/tmp", writable=True)  # noqa: S108  a private volume of the container


_WORKSPACE: Final = Mount("workspace", WORKSPACE, writable=True)


def _agent_mounts(spec: RunSpec) -> tuple[Mount, ...]:
    names = tuple(p.name for p in spec.participants)
    return (
        _ipc(layout.RUN),
        _ipc((layout.AGENT,), writable=True),
        *(_ipc(place) for place in layout.agent_parents()),
        *(_ipc(place, writable=True) for place in layout.agent_places(names)),
        _ipc((layout.BRIDGE,)),
        *(_ipc(place) for place in layout.bridge_places(names)),
        *(_ipc(place) for name in names for place in ((name,), layout.blobs(name))),
        _WORKSPACE,
        _tmp("agent"),
    )


def _bridge_mounts(spec: RunSpec) -> tuple[Mount, ...]:
    """The gate writes the directory of a participant that lives elsewhere."""
    names = tuple(p.name for p in spec.participants)
    absent = {p.name for p in spec.participants if p.placement == "bus"}
    return (
        _ipc(layout.RUN),
        _ipc((layout.AGENT,)),
        *(_ipc(place) for place in (*layout.agent_parents(), *layout.agent_places(names))),
        _ipc((layout.BRIDGE,), writable=True),
        *(_ipc(place, writable=True) for place in layout.bridge_places(names)),
        *(_ipc(place, writable=name in absent) for name in names for place in ((name,), layout.blobs(name))),
        _ipc(layout.CONSOLE_BOX),
        _tmp("bridge"),
    )


def _own_mounts(name: str) -> tuple[Mount, ...]:
    """What every participant sees: its calls, its withdrawals, the verdicts on them; and its own directory."""
    return (
        _ipc(layout.RUN),
        _ipc(layout.calls(name)),
        _ipc(layout.withdrawn(name)),
        _ipc(layout.verdicts(name)),
        _ipc((name,), writable=True),
        _ipc(layout.blobs(name), writable=True),
        _tmp(name),
    )


def _model_mounts(spec: RunSpec) -> tuple[Mount, ...]:
    others = (p.name for p in spec.participants if p.name != spec.model.participant)
    return (
        *_own_mounts(spec.model.participant),
        _ipc(layout.TRANSCRIPT),
        _ipc(layout.blobs(layout.AGENT)),
        *(_ipc(layout.blobs(name)) for name in others),
    )


def _skill_mounts(name: str) -> tuple[Mount, ...]:
    return (*_own_mounts(name), _WORKSPACE, Mount(f"pack-{name}", f"{PACKS}/{name}"))
