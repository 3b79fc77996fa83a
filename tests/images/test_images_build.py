"""Building them: the same inputs make the same layers, and what the builder knows stays with it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.images.engine import IMAGES, PREFIX, ROOT, SERVER, bake, docker, tag

pytestmark = pytest.mark.xdist_group("images")
BUILT = ("agent", "memory", "skill-github-gitops", SERVER)
ALL = [*IMAGES, SERVER]


Entry = tuple[object, ...]


@contextmanager
def saved(file: Path, *names: str) -> Iterator[dict[str, list[tarfile.TarFile]]]:
    """The layers of images, lowest first, by the images' names."""
    docker("save", "--output", str(file), *names)
    with tarfile.open(file) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest
        yield {
            name: [
                tarfile.open(fileobj=archive.extractfile(layer))  # noqa: SIM115 - they live as long as the archive
                for layer in image["Layers"]
            ]
            for image in json.load(manifest)
            for name in image["RepoTags"]
        }


def entries(layer: tarfile.TarFile) -> set[Entry]:
    """All that is in a layer, whatever its order: an engine writes one in the order of a walk or in that of paths,
    according to what else it has."""
    return {
        (
            one.name,
            one.type,
            one.mode,
            one.uid,
            one.gid,
            one.mtime,
            one.linkname,
            tuple(one.pax_headers.items()),
            digest,
        )
        for one in layer
        for content in [layer.extractfile(one) if one.isreg() else None]
        for digest in [hashlib.sha256(content.read()).hexdigest() if content else ""]
    }


def layers(file: Path, tag: str) -> dict[str, list[set[Entry]]]:
    """What is in each layer of the images that were built with a tag."""
    with saved(file, *(f"{PREFIX}/{name}:{tag}" for name in BUILT)) as images:
        return {name.rpartition(":")[0]: [entries(layer) for layer in found] for name, found in images.items()}


@pytest.fixture
def tags() -> list[str]:
    """Two that no other test run on this engine uses."""
    own = uuid.uuid4().hex[:8]
    return [f"test-{own}-once", f"test-{own}-again"]


@pytest.fixture(autouse=True)
def _removed(tags: list[str]) -> object:
    yield
    docker("image", "rm", "--force", *(f"{PREFIX}/{name}:{tag}" for name in BUILT for tag in tags), check=False)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """What images are built from, as it is now: an editor may be at work in the workspace."""
    named = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (line[1:] for line in named if line.startswith("!") and "*" not in line):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".dockerignore", "docker-bake.hcl"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "build").symlink_to(ROOT / "build")
    return tmp_path


def test_the_same_inputs_make_the_same_layers(tags: list[str], sources: Path, tmp_path: Path) -> None:
    bake(*BUILT, workspace=sources, TAG=tags[0])
    bake(*BUILT, workspace=sources, options=("--no-cache",), TAG=tags[1])

    once, again = (layers(tmp_path / "saved", tag) for tag in tags)

    assert [len(once[name]) for name in once] == [len(again[name]) for name in once]
    assert [e for name in once for a, b in zip(once[name], again[name], strict=True) for e in a ^ b] == []


def repeated(layers: list[tarfile.TarFile]) -> list[str]:
    """Paths that a layer below has as well; of directories those that hold nothing new."""
    below: set[str] = set()
    found = []
    for layer in layers:
        paths = {one.name: one.isdir() for one in layer}
        parents = {path.rpartition("/")[0] for path in paths}
        found += [path for path, folder in paths.items() if path in below and not (folder and path in parents)]
        below |= set(paths)
    return found


def test_no_layer_repeats_what_is_below_it(tmp_path: Path) -> None:
    """An engine may leave out what is there unchanged, or not: what is in the layer would be chance."""
    with saved(tmp_path / "saved", *map(tag, ALL)) as images:
        assert set(images) == set(map(tag, ALL))
        assert {name: again for name, found in images.items() if (again := repeated(found))} == {}


def test_a_key_in_the_environment_of_the_build_is_not_in_the_image(tags: list[str]) -> None:
    canary = "canary-7f3a91d2c4"
    keys = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY_PASSWORD")

    bake("memory", TAG=tags[0], **dict.fromkeys(keys, canary))

    name = f"{PREFIX}/memory:{tags[0]}"
    with subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE) as saved:
        assert saved.stdout
        assert canary.encode() not in saved.stdout.read()
    assert canary not in docker("history", "--no-trunc", name).stdout
    assert canary not in docker("image", "inspect", name).stdout


def test_a_build_for_another_platform_takes_that_platforms_programs() -> None:
    """A default beside an argument that the builder sets itself would hold for every platform."""
    dockerfile = (ROOT / "images/Dockerfile").read_text()

    assert re.findall(r"^ARG ((?:TARGET|BUILD)[A-Z]+)(=.*)?$", dockerfile, re.MULTILINE) == [("TARGETARCH", "")]
