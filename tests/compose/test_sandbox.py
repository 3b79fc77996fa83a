"""A policy that demands a sandbox, on an engine that has gVisor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine import docker, need_images

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
POLICY = """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: boxed}
spec: {template: Permissive, deniedTools: [fetch_url], sandbox: {enabled: true, runtimeClass: gvisor}}
"""


def test_every_program_of_a_sandboxed_run_has_a_kernel_of_its_own(tmp_path: Path) -> None:
    need_images("agent", "ipc-bridge", "model", "skill-shell")
    if "runsc" not in (docker("info", "--format", "{{json .Runtimes}}") or ""):
        pytest.skip("the engine has no runtime runsc")
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    words = ["-f", str(policy), "--policy", "boxed", "--on", "compose", "--dir", str(tmp_path / "run")]
    done = subprocess.run(
        [str(SYMPOZIUM), "run", "x", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    machine = subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout.strip()
    assert "- the system: Linux" in done.stdout
    assert machine not in done.stdout
