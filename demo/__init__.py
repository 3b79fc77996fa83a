"""The demonstration: a small service, a fault, and a run that finds and mends it.

``python -m demo`` (``make demo``) starts the service, breaks it, and lets an agent investigate: first
the scripted model, offline; then, when a key or a local model server is found, a real one.
"""
