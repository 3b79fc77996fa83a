"""``sympozium runs prune``: what launchers that were killed have left in the engine."""

from __future__ import annotations

from sympozium_cli.terminal import standard_error, visible


def prune() -> None:
    """Raises Ended."""
    from sympozium_cli.launch import leftovers
    from sympozium_cli.launch.engine import Engine

    names = leftovers.prune(Engine())
    for name in names:
        standard_error().line(f"removed what run {visible(name)} had left in the engine")
    if not names:
        standard_error().line("nothing was left")
