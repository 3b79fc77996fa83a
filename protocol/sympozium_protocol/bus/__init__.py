"""The bus: a run's files on NATS JetStream, for whoever is not in its pod.

What may live here: subjects, the messages on them, one connection and what can go wrong with it, writing and
following a run's records, and serving a participant from elsewhere. ``nats`` is imported here and nowhere else,
and nothing of the protocol outside this package imports it: a program in the pod does not need the bus.
"""
