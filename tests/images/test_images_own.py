"""An image of one's own, made as docs/images.md says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.images.engine import PREFIX, ROOT, TAG, WALLS, docker

pytestmark = pytest.mark.xdist_group("images")
OWN = f"{PREFIX}/skill-own:test-{os.getpid()}"


@pytest.fixture(autouse=True)
def _removed() -> object:
    yield
    docker("image", "rm", "--force", OWN, check=False)


def test_the_dockerfile_of_the_manual_makes_an_image_with_one_more_program(tmp_path: Path) -> None:
    manual = (ROOT / "docs/images.md").read_text()
    found = re.search(r"```dockerfile\n(.*?)```", manual, re.DOTALL)
    assert found
    dockerfile = found[1].replace("sympozium/skill-k8s-ops:dev", f"{PREFIX}/skill-k8s-ops:{TAG}")
    (tmp_path / "Dockerfile").write_text(dockerfile)
    (tmp_path / "drain-report").write_text("#!/bin/sh\necho draining nothing\n")

    docker("buildx", "build", "--tag", OWN, str(tmp_path))

    assert docker("run", "--rm", *WALLS, OWN, "drain-report").stdout == "draining nothing\n"
    assert "usage: sympozium-skill" in docker("run", "--rm", *WALLS, OWN, "program", "--help").stdout
