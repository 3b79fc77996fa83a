"""Pod → compose project: containers, and the walls that plain processes do not have. Pure.

What a container may reach is what is mounted into it: each volume is writable in one of them. A volume is either a
directory of this machine (``OnHost``: the run's own, which outlives its containers) or one of the engine's
(``InEngine``: in memory and bounded), so that the file alone is enough for ``docker compose up``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final, TypeAlias

from sympozium_controller.pod import Mount, PackFiles, Pod, Program, Resources, SecretEnv
from sympozium_controller.render.bounds import BOUNDS, OTHERS, TMP_SIZE as TMP_SIZE
from sympozium_controller.render.images import UID, Images as Images
from sympozium_controller.render.notenforced import NotEnforced

RUN_LABEL: Final = "ai.sympozium.run"
"""Every container, volume and network of a run has it: its value is the run's name."""
PROGRAM_LABEL: Final = "ai.sympozium.program"

TMP: Final = "/tmp"  # noqa: S108  a private volume of each container
SECRETS: Final = "/run/secrets"
SEED: Final = "/seed"
"""Where the engine puts RunSpec and packs for the service that lays the volumes out."""
VOLUMES_SERVICE: Final = "volumes"
USER: Final = f"{UID}:{UID}"

RUNTIMES: Final = {"": "runsc", "gvisor": "runsc", "kata": "kata"}
"""A RuntimeClass as engines name its runtime; others are taken as they are."""

SANDBOX_THREADS: Final = 512
"""A sandbox is a program of the machine that runs the container's: its own threads count as well."""

_GRACES: Final = {"agent": 12, "bridge": 5}
_GRACE: Final = 3


@dataclass(frozen=True, slots=True)
class OnHost:
    """Directories of this machine, absolute. ``user``: uid:gid of the containers, who owns them."""

    run: PurePath
    memory: PurePath
    secrets: PurePath
    user: str


@dataclass(frozen=True, slots=True)
class InEngine:
    """Volumes of the engine's own. ``namespace`` and ``agent`` name the one that outlives the run."""

    namespace: str
    agent: str


Where: TypeAlias = OnHost | InEngine


@dataclass(frozen=True, slots=True)
class Mounted:
    """``source``: an absolute path of the machine, or a volume's name."""

    source: str
    target: str
    writable: bool
    bind: bool


@dataclass(frozen=True, slots=True)
class Service:
    """One container. No ``network``: it has none. ``grace``: seconds from SIGTERM to SIGKILL."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    mounts: tuple[Mounted, ...]
    user: str
    working_dir: str
    network: str
    bounds: Resources
    grace: int
    secrets: tuple[SecretEnv, ...] = ()
    configs: tuple[tuple[str, str], ...] = ()
    """(config, target)"""
    runtime: str = ""
    read_only: bool = True
    restart: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """One of the engine's. ``size``: bytes in memory, 0: on the disk; ``outlives``: the name it is kept under."""

    name: str
    size: int = 0
    outlives: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """What there is to create, the gate first and the agent last.

    ``directories`` and ``files`` (path, text) are to be made on the machine before, for ``user`` of the services.
    """

    name: str
    run: str
    services: tuple[Service, ...]
    volumes: tuple[Volume, ...]
    networks: tuple[str, ...]
    configs: tuple[tuple[str, str], ...]
    directories: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    not_enforced: tuple[NotEnforced, ...]


def project_name(run: str) -> str:
    return f"sympozium-{run}"


def render(pod: Pod, where: Where, images: Images) -> Project:
    """The pod as a project of containers."""
    programs = (pod.bridge, *pod.participants, pod.agent)
    services = tuple(_service(program, pod, where, images) for program in programs)
    inside = isinstance(where, InEngine)
    return Project(
        name=project_name(pod.name),
        run=pod.name,
        services=(_volumes_service(pod, services, images), *services) if inside else services,
        volumes=tuple(_volumes(pod, programs, where)) if isinstance(where, InEngine) else (),
        networks=tuple(service.network for service in services if service.network),
        configs=tuple(_configs(pod)) if inside else (),
        directories=tuple(_directories(pod, programs, where)) if isinstance(where, OnHost) else (),
        files=tuple(_files(pod, where)) if isinstance(where, OnHost) else (),
        not_enforced=tuple(_not_enforced(pod, programs, where)),
    )


def _service(program: Program, pod: Pod, where: Where, images: Images) -> Service:
    at_work = any(mount.path == "/workspace" for mount in program.mounts)
    inside = isinstance(where, InEngine)
    within = (("SYMPOZIUM_RUN_WITHIN", "30"),) if inside else ()
    answer = (("SYMPOZIUM_ANSWER", "stdout"),) if inside and program is pod.agent else ()
    secrets = (("SYMPOZIUM_SECRETS", SECRETS),) if program.secrets else ()
    return Service(
        name=program.name,
        image=images.reference(program.image),
        command=program.command,
        environment=(*program.env, ("HOME", TMP), ("TMPDIR", TMP), *within, *answer, *secrets),
        mounts=tuple(_mounts(program, where)),
        user=USER if isinstance(where, InEngine) else where.user,
        working_dir="/workspace" if at_work else TMP,
        network=program.name if program.egress else "",
        bounds=_bounds(program, sandboxed=pod.sandbox),
        grace=_GRACES.get(program.name, _GRACE),
        secrets=program.secrets,
        runtime=RUNTIMES.get(pod.runtime_class, pod.runtime_class) if pod.sandbox else "",
        restart=inside,
        after=(VOLUMES_SERVICE,) if inside else (),
    )


def _bounds(program: Program, *, sandboxed: bool) -> Resources:
    own, default = program.resources, BOUNDS.get(program.name, OTHERS)
    processes = (own.processes or default.processes) + (SANDBOX_THREADS if sandboxed else 0)
    return Resources(own.cpu or default.cpu, own.memory or default.memory, processes)


def _mounts(program: Program, where: Where) -> Iterator[Mounted]:
    for mount in program.mounts:
        if mount.path != TMP:
            yield _mounted(mount, where)
    if program.secrets and isinstance(where, OnHost):
        yield Mounted(str(where.secrets / program.name), SECRETS, writable=False, bind=True)


def _mounted(mount: Mount, where: Where) -> Mounted:
    if isinstance(where, InEngine):
        return Mounted(mount.volume, mount.path, mount.writable, bind=False)
    return Mounted(str(_directory(mount, where)), mount.path, mount.writable, bind=True)


def _directory(mount: Mount, where: OnHost) -> PurePath:
    """Volumes lie beside each other, none in another: who writes one cannot move what is mounted of the next."""
    first = PurePath(mount.path).parts[1]
    if first == "memory":
        return where.memory
    if first == "packs":
        return where.run.joinpath(*PurePath(mount.path).parts[1:])
    return where.run / ("workspace" if first == "workspace" else f"volumes/{mount.volume}")


def _directories(pod: Pod, programs: tuple[Program, ...], where: OnHost) -> Iterator[str]:
    """Every volume, and in it the points where others are mounted: in a read-only one nobody could make them."""
    yield from dict.fromkeys(str(path) for program in programs for path in _made(program, where))
    yield from (str(where.run / "packs" / pack.name) for pack in pod.packs)


def _made(program: Program, where: OnHost) -> Iterator[PurePath]:
    mounts = [mount for mount in program.mounts if mount.path != TMP]
    for mount in mounts:
        yield _directory(mount, where)
        for outer in mounts:
            if outer is not mount and PurePath(mount.path).is_relative_to(outer.path):
                yield _directory(outer, where) / PurePath(mount.path).relative_to(outer.path)


def _files(pod: Pod, where: OnHost) -> Iterator[tuple[str, str]]:
    for pack in pod.packs:
        yield from ((str(where.run / "packs" / pack.name / name), text) for name, text in pack.files)


def _volumes(pod: Pod, programs: tuple[Program, ...], where: InEngine) -> Iterator[Volume]:
    mounts = (mount for program in programs for mount in program.mounts)
    for mount in {mount.volume: mount for mount in mounts if mount.path != TMP}.values():
        if mount.path == "/memory":
            yield Volume(mount.volume, outlives=f"sympozium-{where.namespace}-{where.agent}-memory")
        elif mount.path == "/workspace":
            yield Volume(mount.volume)
        else:
            yield Volume(mount.volume, size=pod.disk)


def _volumes_service(pod: Pod, services: tuple[Service, ...], images: Images) -> Service:
    """Lays the volumes out, and stays: those in memory live as long as somebody has them mounted."""
    mounts = {mount.target: replace(mount, writable=True) for service in services for mount in service.mounts}
    ours = tuple(mount for path, mount in sorted(mounts.items()) if path != "/memory")
    return Service(
        name=VOLUMES_SERVICE,
        image=images.reference(pod.bridge.image),
        command=("sympozium-layout", "--from", SEED, "--stay"),
        environment=(("SYMPOZIUM_IPC", "/ipc"), ("HOME", TMP), ("TMPDIR", TMP)),
        mounts=ours,
        user=USER,
        working_dir=TMP,
        network="",
        bounds=BOUNDS["bridge"],
        grace=1,
        configs=tuple((name, f"{SEED}/{path}") for name, path, _ in _seeds(pod)),
        read_only=False,  # the engine puts configs into the container's own root, and no secret is here
    )


def _seeds(pod: Pod) -> Iterator[tuple[str, str, str]]:
    """(config, path below the seed, text): the RunSpec, and the files of the packs."""
    yield "run", "run.json", pod.run.decode()
    for pack in pod.packs:
        yield from (_seed(pack, name, text) for name, text in pack.files)


def _seed(pack: PackFiles, name: str, text: str) -> tuple[str, str, str]:
    return f"{pack.name}.{name}", f"packs/{pack.name}/{name}", text


def _configs(pod: Pod) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, _, text in _seeds(pod))


def _not_enforced(pod: Pod, programs: tuple[Program, ...], where: Where) -> Iterator[NotEnforced]:
    reaching = [program.name for program in programs if program.egress]
    if reaching:
        what = f"{', '.join(reaching)}: may reach any address, this machine's own services included."
        yield NotEnforced("egress", f"A network here has no list of addresses. {what}")
    if any("kubernetes" in program.egress for program in programs):
        yield NotEnforced("identity", "Skills get no cluster identity here: only what their Secret gives them.")
    if isinstance(where, OnHost):
        told = f"Writers keep to {pod.disk / (1 << 20):g} MiB in /ipc by themselves; no volume stops them."
        yield NotEnforced("disk", told)
    else:
        yield NotEnforced("durability", "The run's files are in memory: they are gone with its containers.")
