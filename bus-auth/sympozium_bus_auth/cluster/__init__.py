"""The keeper in a cluster: who presents a token is who the API server says. What may live here asks that server.

``verifying`` is the Verifier; ``reviews`` the server's word on tokens and rights, ``pods`` what a pod is there for,
``persons`` what a person may do; ``secrets`` puts keys and certificates into the cluster, as ``documents`` has them.
"""
