"""The cluster that this skill's Secret names: for kubectl and its kin a file, never a variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sympozium_protocol.exits import Ended, Reason
from sympozium_skill.place import names_passed

KEY: Final = "kubeconfig"
"""The Secret's key, and the variable in which this program is given its value."""


def with_kubeconfig(own: Mapping[str, str], directory: Path) -> dict[str, str]:
    """``own`` without the variable ``kubeconfig``; if it was passed, in a file of ``directory`` that KUBECONFIG names.

    Raises Ended (InvalidDocument): no kubeconfig. Its content is in no message.
    """
    others = {name: value for name, value in own.items() if name != KEY}
    if KEY not in own or KEY not in names_passed(own):
        return others
    if fault := fault_of(own[KEY]):
        raise Ended(Reason.InvalidDocument, f"the key {KEY} of this skill's Secret: {fault}")
    file = directory / KEY
    with open(file, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as written:
        written.write(own[KEY])
    return {**others, "KUBECONFIG": str(file)}


def fault_of(text: str) -> str | None:
    """What is wrong with it, in words that quote nothing of it; None: it may be one."""
    if not text.strip():
        return "is empty"
    import yaml  # here: most skills have none

    try:
        # every scalar stays a string: no date or number can be wrong; the loader in C would crash on deep nesting
        value = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  makes no objects
    except RecursionError:
        return "is nested too deeply"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return f"is no YAML (line {mark.line + 1})" if mark else "is no YAML"
    if not isinstance(value, dict) or value.get("kind") != "Config":
        return "is no kubeconfig: its kind must be Config"
    return None
