"""What is in each image, and what is not."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.images.engine import BASE, IMAGES, PACKS, ROOT, SERVER, contents, docker, inspected, program, run, tag

pytestmark = pytest.mark.xdist_group("images")
every_image = pytest.mark.parametrize("image", IMAGES)

OURS = {
    project["name"]: [
        *project.get("dependencies", []),
        *(
            f'{line} ; extra == "{extra}"'
            for extra, lines in project.get("optional-dependencies", {}).items()
            for line in lines
        ),
    ]
    for file in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("sidecars/*/pyproject.toml")]
    if (project := tomllib.loads(file.read_text()).get("project"))
}
SCRIPTS = {
    "sympozium-protocol": {"sympozium-conformance", "sympozium-layout"},
    "sympozium-cli": {"sympozium"},
    **{entry["packages"][0].partition("[")[0]: {entry["command"]} for entry in map(program, IMAGES)},
}
SCRIPTS["sympozium-bridge"].add("sympozium-restore")
SHELLS = {"sh", "dash", "bash", "ash", "zsh", "ksh", "busybox"}


def needed(found: dict[str, list[str]], wanted: list[str]) -> set[str]:
    """The names of what ``wanted`` needs, by our own pyproject.toml and by what is installed; never pip."""
    reached: set[str] = set()
    seen: set[str] = set()
    todo = [Requirement(line) for line in wanted]
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        reached.add(name)
        if (what := f"{name} {sorted(one.extras)}") in seen:
            continue
        seen.add(what)
        for extra in ("", *one.extras):
            marks = {"extra": extra, "python_version": "3.13", "python_full_version": "3.13.0"}
            for other in map(Requirement, OURS.get(name, found.get(name, []))):
                wants = other.marker is None or other.marker.evaluate(marks)
                if wants:
                    todo.append(other)
    return reached - {"pip"}


@every_image
def test_the_python_packages_are_those_that_the_program_needs_and_no_more(image: str) -> None:
    found = {canonicalize_name(name): lines for name, lines in contents(image)["packages"].items()}

    assert set(found) == needed(found, program(image)["packages"])


@every_image
def test_nothing_can_be_executed_but_the_interpreter_the_first_process_our_scripts_and_what_the_pack_calls(
    image: str,
) -> None:
    found = {path.rsplit("/", 1)[-1] for path in contents(image)["executables"]}
    ours = set().union(*(SCRIPTS.get(name, set()) for name in contents(image)["packages"]))
    first = set() if image == "agent" else {"tini"}

    assert found - {"python3.13"} - ours - first == called(image) if image != "skill-shell" else found >= SHELL


@pytest.mark.parametrize("image", ["bus-auth", "controller"])
def test_the_client_of_a_cluster_works_without_the_classes_of_its_objects(image: str) -> None:
    script = """
import asyncio, os, kubernetes
from sympozium_protocol.exits import Ended
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Away
from sympozium_protocol.kube.login import login
from sympozium_protocol.kube.resources import PODS

async def act():
    async with Client(await login("/tmp/kubeconfig")) as api:
        try:
            await api.get(PODS, "one", "default")
        except Away:
            print("away")

with open("/tmp/kubeconfig", "w") as file:
    file.write('{"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],'
               ' "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],'
               ' "users": [{"name": "u", "user": {}}]}')
asyncio.run(act())
print(sum(len(files) for _, _, files in os.walk(os.path.dirname(kubernetes.__file__))) < 400)
"""
    assert run(image, "-c", script, entrypoint="python3", options=("--tmpfs", "/tmp")).split() == ["away", "True"]


SHELL = {"bash", "dash", "cat", "ls", "ps", "grep", "sed", "gawk", "find", "curl", "jq", "tar", "du", "df"}
"""Some of what the pack `shell`, which declares any command, comes with."""


def called(image: str) -> set[str]:
    """What the image's pack calls, and the skill program's own `sh`."""
    if image not in PACKS:
        return set()
    sidecar = PACKS[image]["sidecar"]
    commands = set(sidecar.get("commands", []))
    tools = {tool["argv"][0] for tool in sidecar.get("tools", [])}
    lines = {"bash"} if commands else set()
    more = {"git", "git-remote-http", "curl", "jq"} if image == "skill-github-gitops" else set()
    return ((commands | tools | lines | more) - {"sh"}) | {"dash"}


@pytest.mark.parametrize("image", [name for name in IMAGES if name not in PACKS])
def test_an_image_without_a_pack_has_no_shell(image: str) -> None:
    assert not {path.rsplit("/", 1)[-1] for path in contents(image)["executables"]} & SHELLS


@every_image
def test_no_file_gives_privileges_and_only_the_places_of_volumes_belong_to_the_user(image: str) -> None:
    found = contents(image)

    assert found["privileged"] == []
    assert sorted(found["owned"]) == ["/memory", "/workspace"]
    assert found["writable"] == ["/tmp"]


@every_image
def test_every_module_is_compiled_and_its_bytecode_is_never_checked(image: str) -> None:
    assert contents(image)["uncompiled"] == []


@every_image
def test_every_file_has_the_one_time_that_the_build_was_given(image: str) -> None:
    assert len(contents(image)["times"]) == 1


@every_image
def test_the_labels_say_what_it_is(image: str) -> None:
    labels = inspected(image)["Config"]["Labels"]
    prefix = "org.opencontainers.image."

    assert labels[f"{prefix}title"] == image
    assert labels[f"{prefix}vendor"] == "Sympozium"
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert {f"{prefix}version", f"{prefix}revision"} <= set(labels)


@every_image
def test_neither_its_variables_nor_its_history_name_a_secret(image: str) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag(image)).stdout.upper()
    names = {line.split("=", 1)[0] for line in inspected(image)["Config"]["Env"]}

    assert not [word for word in ("API_KEY", "TOKEN", "SECRET_KEY", "PASSWORD") if word in history]
    assert names == {"PATH", "LANG", "PYTHONDONTWRITEBYTECODE", "SSL_CERT_FILE"}


def test_bake_makes_the_images_of_the_programs_and_those_that_packs_name_and_the_server() -> None:
    plan: dict[str, Any] = json.loads(docker("buildx", "bake", "--print", "all", cwd=ROOT).stdout)

    assert sorted(name for target in plan["target"].values() for name in target["tags"]) == sorted(
        map(tag, [*IMAGES, SERVER])
    )


@pytest.mark.parametrize("image", ["agent", *PACKS])
def test_an_image_is_no_larger_than_the_base_and_what_its_pack_calls(image: str) -> None:
    base = docker("image", "inspect", "--format", "{{.Size}}", BASE, check=False).stdout
    if not base:
        pytest.skip(f"{BASE} is not here to compare with")
    allowed = 15_000_000 if image == "agent" else sum(contents(image)["executables"].values())

    assert inspected(image)["Size"] <= int(base) + allowed
