"""The agent: a loop that asks a model, makes the calls that it asks for, and writes down everything.

What may live here: the loop, the toolbox and the tools of the agent's own container, the prompt,
the limits, the transcript. What may not: any SDK, key or credential. The agent knows only files.
"""
