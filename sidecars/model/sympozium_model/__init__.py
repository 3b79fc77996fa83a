"""The model gateway: a participant whose one tool is a completion, and the only holder of the API key.

What may live here: provider SDKs, keys, retries, budgets, streaming; the scripted and the replayed
model. It takes URL, model and headers from the RunSpec alone, and what the model said from its own
replies alone: nothing that the agent writes can make it say or send something else.
"""
