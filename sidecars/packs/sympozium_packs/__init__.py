"""Skill packs: one folder each, with pack.yaml and SKILL.md. Data; no code lives here."""
