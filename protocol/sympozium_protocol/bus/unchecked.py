"""What a JWT says of itself, unchecked: to tell kinds of tokens apart, never to believe one."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any


def unchecked_claims(token: str) -> dict[str, Any]:
    """Empty where it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_of_a_pod(token: str) -> bool:
    """Does it name a ServiceAccount of a cluster?"""
    return "kubernetes.io" in unchecked_claims(token)
