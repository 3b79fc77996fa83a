"""Our own participants are judged by the kit that we give to others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def test_the_skill_sidecar_passes_the_full_level() -> None:
    done = subprocess.run(
        [
            *(BIN / "sympozium-conformance", "--level", "full"),
            *(
                "--call",
                'execute_command={"command": "true"}',
                "--slow-call",
                'execute_command={"command": "sleep 1.5"}',
            ),
            *("--", BIN / "sympozium-skill", "--pack", ROOT / "sidecars/packs/sympozium_packs/shell"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
