"""Pod → the documents that Kubernetes runs it from: a Job, and a ConfigMap where the run does not fit into it. Pure.

Accounts, rights and network policies are not made here: ``InCluster`` names what there is. Documents are plain values,
as the API server takes them.
"""

from sympozium_controller.render.images import Images as Images
from sympozium_controller.render.kubernetes.job import Manifests as Manifests, render as render
from sympozium_controller.render.kubernetes.seeds import TooLarge as TooLarge
from sympozium_controller.render.kubernetes.where import Bus as Bus, InCluster as InCluster, Owner as Owner
