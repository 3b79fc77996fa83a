"""What a cluster is told about our kinds, made from the models in ``objects``: pure functions to documents.

One module per idea: ``kinds`` (names and columns), ``schema`` (pydantic's JSON Schema to a structural one), ``rules``
(what fields alone do not say, in CEL), ``definitions`` (the seven CustomResourceDefinitions), ``policies``
(ValidatingAdmissionPolicies: what a definition cannot say), ``guards`` (those around what is made for runs), ``roles``
(what users may do), ``shipped`` (the SkillPacks that come with us). ``python -m sympozium_controller.crds --write DIR``
writes the definitions; ``--check DIR`` compares.
"""

from sympozium_controller.crds.definitions import documents as documents
from sympozium_controller.crds.guards import guards as guards
from sympozium_controller.crds.policies import policies as policies
from sympozium_controller.crds.roles import roles as roles
from sympozium_controller.crds.shipped import builtin_packs as builtin_packs
