"""Every document of an installation, in the order in which a cluster takes them. Pure: settings in, documents out.

What may live here: documents, and what they have in common. Who applies them, waits and tells is the command.
``settings`` (what can be chosen), ``pods`` (the walls of our own pods), ``bus``, ``control`` and ``walls`` (what runs
and what may reach it), ``stages`` (what comes after what).
"""
