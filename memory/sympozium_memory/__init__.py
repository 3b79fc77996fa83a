"""The participant that remembers: one SQLite file per instance, searched by its words."""
