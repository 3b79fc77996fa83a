"""The keeper of the bus: says who may publish and subscribe to what, and makes what its users must not make.

What may live here: checking a token, the permissions that follow from it, the answer to NATS's auth callout, the
accounts of the server's configuration, and readers of runs. It knows subjects and tokens from the protocol, and
nothing of what is in a message.
"""
