"""The Kubernetes API server: one small port, and the client behind it. What may live here speaks HTTP to that server.

Objects are plain dicts as the server writes them: the typed models of the client library take most of a second to
import and know nothing of custom resources. ``api`` is the port (six verbs), ``errors`` what they raise, ``resources``
the kinds that are spoken of, ``client`` the one implementation, ``login`` where the server is and who we are,
``forward`` connections to a port of a pod.
"""
