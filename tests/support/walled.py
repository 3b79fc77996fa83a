"""Documents of a run whose walls are tried: an agent without network, the skill shell, and a skill with a secret."""

from __future__ import annotations

import json
from pathlib import Path

from tests.pod.play import Play

KEY = "canary-of-a-key"

TOKEN = "canary-of-a-token"

WAIT = "touch began; until [ -e go ]; do sleep 0.01; done; echo went"

PROGRAMS = ("agent", "bridge", "model", "shell", "tickets")

POLICY: dict[str, object] = {
    "apiVersion": "sympozium.ai/v1alpha1",
    "kind": "SympoziumPolicy",
    "metadata": {"name": "offline"},
    "spec": {"template": "Permissive", "deniedTools": ["fetch_url"]},
}


def documents(path: Path, provider: dict[str, object], **instance: object) -> Path:
    """An agent without fetch_url, the skill shell, and the skill tickets, which has a secret."""
    made = {"apiVersion": "sympozium.ai/v1alpha1"}
    sidecar = {
        "image": "skill-shell",
        "commands": ["printenv", "awk"],
        "secretRef": "tickets",
        "resources": {"limits": {"memory": "128Mi"}},
    }
    objects: list[dict[str, object]] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tickets"}, "stringData": {"TICKET_TOKEN": TOKEN}},
        {
            **made,
            "kind": "SkillPack",
            "metadata": {"name": "tickets"},
            "spec": {"category": "Test", "description": "x", "instructions": "x", "sidecar": sidecar},
        },
        POLICY,
        {
            **made,
            "kind": "SympoziumInstance",
            "metadata": {"name": "a"},
            "spec": {
                "provider": provider,
                "skills": [{"skillPackRef": "shell"}, {"skillPackRef": "tickets"}],
                "policy": "offline",
                **instance,
            },
        },
    ]
    file = path / "objects.yaml"
    file.write_text("---\n".join(json.dumps(one) + "\n" for one in objects))
    return file


def words(play: Play, objects: Path, *options: str) -> list[str]:
    more = ["--approve", "all", "--dir", str(play.directory), *options]
    return play.plain("x", "-f", str(objects), *more)


def scripted(*steps: dict[str, object]) -> dict[str, object]:
    return {"name": "scripted", "options": {"script": {"steps": list(steps)}}}


def run_command(line: str, save: str = "r", **more: object) -> dict[str, object]:
    return {"tool": "execute_command", "arguments": {"command": line, **more}, "save": save}
