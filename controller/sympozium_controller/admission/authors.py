"""Who wrote an instance, and what he must still hold when it runs. Pure.

A pack may come, or change its rules, after an instance named it and said where it acts: its author was not asked for
these rules then. So he is written on the instance, and asked for them when a run would be given any that no author of
his namespace vouches for: those of packs that come with the installation, and those in other namespaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sympozium_controller.admission import rights
from sympozium_controller.admission.rights import Wanted
from sympozium_controller.objects import SkillPack, SympoziumInstance

ANNOTATION_AUTHOR: Final = "sympozium.ai/author"
"""Who wrote the spec of a SympoziumInstance, and his groups."""
_BETWEEN: Final = "\n"
"""Between the name and the groups. A name that holds it is nobody's: it could pass itself off as a member."""
_USER: Final = "request.userInfo.username"
_GROUPS: Final = "(has(request.userInfo.groups) ? request.userInfo.groups : [])"
STAMP: Final = f"([{_USER}] + {_GROUPS}).exists(one, one.contains('\\n')) ? '' : ([{_USER}] + {_GROUPS}).join('\\n')"
"""In CEL what ``stamp_of`` is here."""


def stamp_of(user: Mapping[str, Any]) -> str:
    """The annotation's value for an AdmissionRequest's userInfo; empty for one whom it cannot tell."""
    names = [str(user.get("username", "")), *map(str, user.get("groups") or ())]
    return "" if any(_BETWEEN in name for name in names) else _BETWEEN.join(names)


def author_of(instance: SympoziumInstance) -> dict[str, Any] | None:
    """As a userInfo; None where nobody knows him."""
    name, *groups = instance.metadata.annotations.get(ANNOTATION_AUTHOR, "").split(_BETWEEN)
    return {"username": name, "groups": groups} if name else None


def vouched_for(
    instance: SympoziumInstance, packs: Iterable[SkillPack], shipped: Mapping[str, SkillPack]
) -> Iterator[Wanted]:
    """What a run of it would be given on the word of its author alone. ``shipped``: packs of the system namespace."""
    own = [pack for pack in packs if shipped.get(pack.name) is not pack]
    for pack in own:
        elsewhere = (place for place in rights.places_of(instance, pack.name) if place != instance.namespace)
        yield from rights.of_rules(instance, pack, elsewhere)
    yield from rights.of_packs(instance, (pack for pack in packs if shipped.get(pack.name) is pack))
