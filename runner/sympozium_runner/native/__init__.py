"""The tools inside the agent's own container. One module per tool, and what they share.

What may live here: tools that need no credential and touch only the agent's own file system, or
fetch a public page. They write no Call: the toolbox judges them and the transcript records them.
What a tool cannot do is an answer in words for the model, with no traceback and no host path.
"""

from __future__ import annotations

from sympozium_runner.native.base import Native as Native, NativeContext as NativeContext
from sympozium_runner.native.fetch_url import FETCH_URL
from sympozium_runner.native.list_directory import LIST_DIRECTORY
from sympozium_runner.native.read_file import READ_FILE
from sympozium_runner.native.write_file import WRITE_FILE


def tools() -> dict[str, Native]:
    """Every native tool by name; which of them a run offers is for its RunSpec and policies to say."""
    return {native.tool.name: native for native in (READ_FILE, WRITE_FILE, LIST_DIRECTORY, FETCH_URL)}
