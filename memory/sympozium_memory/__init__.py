"""The participant that remembers: one SQLite file per instance, searched by its words.

What may live here: the file and its schema, storing, finding and revoking entries, the tools by which
an agent does so, and the commands by which a person does. How a run comes to have a memory, and what
of it goes into the prompt, is decided elsewhere.
"""
