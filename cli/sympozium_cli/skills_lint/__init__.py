"""What is wrong with a skill pack, or likely to be, told to its author: all of it at once, each with how to mend it.

Here live checks of the two files of a pack, pure but for reading them. What a run refuses is an error, and so
is what would do harm or mislead (a tool that says that it reads and deletes); a warning is what a reviewer
would ask about. What a run accepts of a pack is decided in ``sympozium_controller.packs``, not here.
"""

from sympozium_cli.skills_lint.findings import Finding
from sympozium_cli.skills_lint.pack import lint_directory

__all__ = ["Finding", "lint_directory"]
