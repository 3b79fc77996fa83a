"""The system prompt, put together from the RunSpec and the template beside this file. Pure but for reading it."""

from __future__ import annotations

from importlib.resources import files
from string import Template

from sympozium_protocol.messages.spec import RunSpec

DEFAULT_INSTRUCTIONS = "You are a careful operations engineer."


def system_prompt(spec: RunSpec, workspace: str) -> str:
    """Instance prompt, how to work, skill instructions, facts about the run."""
    return (
        Template(_template("system.md"))
        .substitute(
            instructions=spec.system_prompt.strip() or DEFAULT_INSTRUCTIONS,
            skills=_skills(spec),
            facts=_facts(spec, workspace),
        )
        .strip()
        + "\n"
    )


def _template(name: str) -> str:
    return files("sympozium_runner").joinpath("prompts", name).read_text(encoding="utf-8")


def _skills(spec: RunSpec) -> str:
    sections = [
        f"\n# {'Skill' if p.role == 'skill' else 'Tools'}: {p.name}\n{p.instructions.strip()}\n"
        for p in spec.participants
        if p.instructions.strip()
    ]
    return "".join(sections)


def _facts(spec: RunSpec, workspace: str) -> str:
    limits = spec.limits
    facts = {
        "agent": spec.agent,
        "run": spec.run,
        "namespace": spec.namespace,
        "started": spec.created,
        "workspace": f"{workspace} (shared with your tools; files you write there are seen by commands)",
        "limits": f"{limits.steps or 'no limit on'} steps, {_seconds(limits.timeout)}",
        **spec.facts,
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _seconds(timeout: float) -> str:
    return f"{timeout:g} s" if timeout else "no limit of time"
