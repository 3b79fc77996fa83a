"""The controller's shell: what watches a cluster, asks the pure half what is to be done, and does it.

``program`` composes it. ``cache`` keeps what a cluster holds, ``queue`` says which object is looked at next, ``lease``
that one controller acts at a time; ``runs`` reconciles AgentRuns and decides nothing: ``lifecycle`` does.
"""
