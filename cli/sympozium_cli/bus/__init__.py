"""The command's side of the bus: the first record of a run, following it from anywhere, and speaking to it.

What may live here: what the command does with a bus, and nothing of how a bus works (``sympozium_protocol.bus``).
Only ``named`` is imported before a command knows that it needs the bus.
"""
