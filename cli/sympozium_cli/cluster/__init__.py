"""The command's side of a cluster: installing, runs that are Jobs, and the objects that people look at and change.

What may live here: what the command does with an API server, and nothing of how one is spoken to
(``sympozium_protocol.kube``). Only ``there`` is imported before a command knows that it needs one.
"""
