"""Which shapes of bash's grammar a command line may have. What is not named here is refused.

The names are those of tree-sitter-bash. Each list is short because each entry is a promise: with these,
every program that the line starts can be told before it runs.
"""

from __future__ import annotations

import re
from typing import Final

PASSED: Final = frozenset(
    {
        "program", "list", "pipeline", "redirected_statement", "negated_command", "subshell", "compound_statement",
        "if_statement", "elif_clause", "else_clause", "while_statement", "do_group",
        "word", "number", "string", "string_content", "raw_string", "ansi_c_string", "concatenation",
        "command_substitution", "process_substitution", "variable_name", "special_variable_name",
        "file_descriptor", "herestring_redirect", "heredoc_start", "heredoc_content", "heredoc_end",
    }
)  # fmt: skip
"""Shapes that need no look of their own: what stands in them is looked at."""

TOKENS: Final = frozenset(
    {
        "&&", "||", "|", "|&", ";", "&", "\n", "(", ")", "{", "}", "!", "$(", "<(", ">(", "<<", "<<<",
        ">", ">>", "<", ">|", ">&", "<&", "&>", "&>>", "=", '"', "$", "${", "#",
        "if", "then", "elif", "else", "fi", "while", "until", "for", "in", "do", "done",
    }
)  # fmt: skip
"""The signs between them."""

WORDS_FOR: Final = {
    "ERROR": "the line cannot be read as bash",
    "function_definition": "functions cannot be defined here",
    "declaration_command": "declare, export, local, readonly and typeset are not available here",
    "unset_command": "unset is not available here",
    "test_command": "[ … ] and [[ … ]] are not available here; let a program's exit code decide, as in `if grep …`",
    "arithmetic_expansion": "arithmetic $(( )) is not available here, as it can run commands hidden in values",
    "c_style_for_statement": "only `for NAME in WORDS` loops are available here",
    "case_statement": "case is not available here; use if",
    "comment": "leave comments out",
    "array": "arrays are not available here",
    "subscript": "arrays are not available here",
    "translated_string": 'write "…" instead of $"…"',
    "brace_expression": "brace ranges are not available here; write the words out",
    "regex": "[[ ... ]] is not available here",
    "`": "write $(…) instead of backticks",
    "((": "arithmetic (( )) is not available here",
    "select": "select is not available here",
    "<<-": "write << instead of <<-",
}
"""What to do instead, for shapes that people use."""

COMMAND_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*|:")
VARIABLE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Names that a line may set: lower case, since all that steers bash and programs is upper case, but for …"""
NOT_VARIABLES: Final = re.compile(r".*_proxy|histchars|auto_resume")
PREFIX: Final = re.compile(r"(LANG|LC_[A-Z]+|TZ|COLUMNS|NO_COLOR)")
"""Variables that may be set for one command: none changes what it runs."""
PLAIN: Final = re.compile(r"[A-Za-z0-9_./:,@%+=][A-Za-z0-9_./:,@%+=\\-]*")
"""A word in which bash expands nothing."""
EXPANSION: Final = re.compile(rb"\$\{#?[A-Za-z_][A-Za-z0-9_]*\}")
HEREDOC_START: Final = re.compile(r"""([A-Za-z_]\w*)|'([A-Za-z_]\w*)'|"([A-Za-z_]\w*)\"""", re.ASCII)
SUBSTITUTION: Final = re.compile(rb"\$\(|[<>]\(|`")
NAMED_DESCRIPTOR: Final = re.compile(rb"\}[<>]")
"""`{name}>file` sets a variable, and evaluates a subscript in the name."""
DEVICES: Final = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/zero", "/dev/urandom"})
