"""Starts the service, breaks it, and runs the agent on it: once scripted, once more on a real model if there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
SYMPOZIUM = Path(sys.executable).with_name("sympozium")
KEYS = {"OPENAI_API_KEY": ("openai", "gpt-4o"), "ANTHROPIC_API_KEY": ("anthropic", "claude-sonnet-4-5")}
OLLAMA = "http://127.0.0.1:11434"


@contextmanager
def service(directory: Path) -> Iterator[int]:
    """The service over ``directory``; its port."""
    (directory / "orders.json").write_text(json.dumps([{"id": n} for n in range(7)]))
    program = [sys.executable, str(HERE / "service.py"), str(directory)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def break_it(directory: Path) -> None:
    """As a migration that stopped half way would leave it."""
    (directory / "orders.json").rename(directory / "orders.json.migrated")


def fill(name: str, directory: Path, port: int) -> Path:
    """A copy of the document with the service's place and port in it."""
    filled = directory / name
    text = Template((HERE / name).read_text()).safe_substitute(DIRECTORY=directory, PORT=port)
    filled.write_text(text)
    return filled


def investigate(*options: str) -> int:
    """Run the agent on a freshly broken service; the exit code of the run."""
    with tempfile.TemporaryDirectory(prefix="orders-api-") as name:
        directory = Path(name)
        with service(directory) as port:
            break_it(directory)
            objects, script = fill("objects.yaml", directory, port), fill("script.yaml", directory, port)
            model = options or ("--script", str(script))
            approve = "ask" if sys.stdin.isatty() and sys.stderr.isatty() else "all"
            if approve == "all":
                print("(no terminal to ask on: the one approval is given by --approve all)", file=sys.stderr)
            command = [str(SYMPOZIUM), "run", "-f", str(objects), *model, "--approve", approve]
            print(f"$ sympozium run -f objects.yaml {' '.join(model)} --approve {approve}", file=sys.stderr)
            return subprocess.run(command, check=False).returncode


def real_model() -> tuple[str, ...] | None:
    """The options of a model that can be reached from here: a key, or a local server with a model."""
    for variable, (provider, model) in KEYS.items():
        if os.environ.get(variable):
            return ("--provider", provider, "--model", model)
    try:
        with urllib.request.urlopen(f"{OLLAMA}/api/tags", timeout=1) as answer:  # noqa: S310  a fixed local address
            models = [model["name"] for model in json.load(answer).get("models", [])]
    except (urllib.error.URLError, TimeoutError, ValueError):
        return None
    return ("--provider", "ollama", "--model", models[0]) if models else None


def main() -> int:
    code = investigate()
    if code == 0 and (options := real_model()):
        print("\nThe same with a real model:\n", file=sys.stderr)
        code = investigate(*options)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
