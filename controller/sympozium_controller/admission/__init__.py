"""Admission: what the API server asks before it keeps an object of ours. It fails closed.

What needs other objects than the one that is written is decided here; its shape is the schema's business. ``judging``
decides (pure), on what ``known`` found: ``effective`` holds a run against its policies, ``images`` and ``egress``
compare names with lists, ``rights`` says what an author must hold himself. ``stamping`` writes down who asked for a run
and who wrote an instance, ``authors`` what the latter must hold when it runs. ``asking`` asks the API server,
``reviews`` is the wire, ``answering`` puts these together, ``server`` is the HTTPS server, ``certificates`` what it
shows, ``keeping`` where that is kept, ``configuration`` what makes the API server ask.
"""
