"""The gate: every call of the agent passes here and nowhere else.

What may live here: reading calls, judging them (``sympozium_protocol.policy``), asking a person,
making things durable, writing verdicts, and bringing in what the person says. What may not: doing
anything that a call asks for. It holds no credential of a skill and no key of a model.
"""
