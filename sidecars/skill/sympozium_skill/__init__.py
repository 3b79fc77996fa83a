"""The skill sidecar: runs what one SkillPack declares, and holds that skill's credential alone.

What may live here: reading the pack, telling which command lines it allows, and running commands so
that nothing of them is left behind. What the agent is told of the skill (SKILL.md) is read elsewhere.
"""
