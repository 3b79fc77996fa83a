"""Write the CustomResourceDefinitions into a folder, or compare those that are there with the models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from sympozium_controller.crds.definitions import documents

HEAD: Final = "# Made from the models in controller/sympozium_controller/objects by `make generate`.\n"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # the same part stands in several places: a reader wants it there, not elsewhere


def texts() -> dict[str, str]:
    """The text of every file, by its name; the same for the same models."""
    return {f"{one['spec']['names']['plural']}.yaml": HEAD + _text(one) for one in documents()}


def _text(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def write(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    wanted = texts()
    for path in directory.glob("*.yaml"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, encoding="utf-8")


def differences(directory: Path) -> list[str]:
    """One sentence per file that is missing, out of date, or of no kind."""
    wanted = texts()
    there = {path.name for path in directory.glob("*.yaml")}
    found = [f"{directory / name}: is of no kind" for name in sorted(there - wanted.keys())]
    for name, text in wanted.items():
        if name not in there:
            found.append(f"{directory / name}: is missing")
        elif (directory / name).read_text(encoding="utf-8") != text:
            found.append(f"{directory / name}: differs from the models")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sympozium_controller.crds", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="DIR", type=Path, help="write the definitions there")
    what.add_argument("--check", metavar="DIR", type=Path, help="exit 1 when those there differ")
    options = parser.parse_args()
    if options.write:
        write(options.write)
        return 0
    found = differences(options.check)
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
