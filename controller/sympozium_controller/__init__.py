"""From what users write to what runs: objects → RunSpec → Pod → documents. Everything here is pure.

What may live here: the objects of the public API, ``resolve``, ``assemble`` and ``render``. What may
not: starting, watching or stopping anything (the shells that act are the command and, later, the
reconcilers). Time, ids and the contents of files are arguments.
"""
