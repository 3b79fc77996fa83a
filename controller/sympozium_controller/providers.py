"""The providers by name: where they are, which key they need, and the model participant of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pydantic import ValidationError

from sympozium_controller.choice import Chosen
from sympozium_controller.errors import Origin, Refused, fault_of
from sympozium_controller.flags import ON_COMMAND_LINE, Flags
from sympozium_controller.objects import Provider
from sympozium_controller.scripts import script_of
from sympozium_controller.urls import NO_ADDRESS, is_http
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.spec import ModelSpec, ParticipantSpec, Prices, ToolSpec

MODEL: Final = "model"
"""The name of the model's participant."""
COMPLETE: Final = ToolSpec(name="complete", effect="write", timeout=3600.0)
"""An hour: a completion is bounded by the run's time, and a slow local model may take most of it."""

Gateway: TypeAlias = Literal["openai", "azure", "anthropic", "bedrock", "scripted", "replay"]


@dataclass(frozen=True, slots=True)
class Known:
    """A provider as users name it. ``variable``: the environment variable of its key, if it has one."""

    gateway: Gateway
    base_url: str = ""
    variable: str = ""
    needs_key: bool = False
    needs_url: bool = False
    needs_model: bool = True
    inherits: tuple[str, ...] = ()


_AWS: Final = (
    "HOME",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_BEARER_TOKEN_BEDROCK",
)
PROVIDERS: Final[Mapping[str, Known]] = {
    "openai": Known("openai", variable="OPENAI_API_KEY", needs_key=True),
    "azure": Known("azure", variable="AZURE_OPENAI_API_KEY", needs_key=True, needs_url=True),
    "anthropic": Known("anthropic", variable="ANTHROPIC_API_KEY", needs_key=True),
    "bedrock": Known("bedrock", variable="AWS_BEARER_TOKEN_BEDROCK", inherits=_AWS),
    "ollama": Known("openai", base_url="http://127.0.0.1:11434/v1", variable="OPENAI_API_KEY"),
    "lmstudio": Known("openai", base_url="http://127.0.0.1:1234/v1", variable="OPENAI_API_KEY"),
    "scripted": Known("scripted", needs_model=False),
    "replay": Known("replay", needs_model=False),
}


def known_provider(chosen: Chosen, flags: Flags) -> tuple[Provider, Known]:
    """Raises Refused for a missing or unknown one."""
    provider = chosen.instance.spec.provider
    if provider is None:
        why = "missing: name a provider here or with --provider"
        raise Refused(Reason.MissingReference, chosen.instance_origin, "spec.provider", why)
    known = PROVIDERS.get(provider.name)
    if known is None:
        why = f"unknown provider {provider.name[:80]!r}; known are {', '.join(PROVIDERS)}"
        raise _refused(chosen, flags.provider, Reason.MissingReference, "name", "--provider", why)
    return provider, known


def _refused(chosen: Chosen, by_flag: object, reason: Reason, field: str, flag: str, why: str) -> Refused:
    """Names the flag when a flag said it, and the document otherwise."""
    if by_flag or chosen.own:
        return Refused(reason, ON_COMMAND_LINE, flag, why)
    return Refused(reason, chosen.instance_origin, f"spec.provider.{field}", why)


def model_participant() -> ParticipantSpec:
    return ParticipantSpec(name=MODEL, role="model", tools=(COMPLETE,))


def model_spec(chosen: Chosen, flags: Flags) -> ModelSpec:
    """Raises Refused."""
    provider, known = known_provider(chosen, flags)
    if known.needs_model and not provider.model:
        why = "missing: name a model"
        raise _refused(chosen, flags.provider, Reason.Usage, "model", "--model", why)
    options = dict(provider.options)
    return ModelSpec(
        participant=MODEL,
        provider=known.gateway,
        model=provider.model or known.gateway,
        base_url=_base_url(chosen, flags, provider, known),
        script=script_of(options.pop("script", None), chosen, flags) if known.gateway == "scripted" else None,
        recording=_recording(chosen, flags) if known.gateway == "replay" else "",
        max_output_tokens=_count(options, "maxOutputTokens", chosen.instance_origin),
        context_tokens=_count(options, "contextTokens", chosen.instance_origin),
        prices=_prices(options, chosen.instance_origin),
        options=options,
    )


def _base_url(chosen: Chosen, flags: Flags, provider: Provider, known: Known) -> str:
    url = provider.base_url or known.base_url
    if not url and known.needs_url:
        why = f"missing: {provider.name} has no address of its own"
        raise _refused(chosen, flags.provider, Reason.Usage, "baseURL", "--base-url", why)
    if url and not is_http(url):
        raise _refused(chosen, flags.base_url, Reason.Usage, "baseURL", "--base-url", NO_ADDRESS)
    return url


def _recording(chosen: Chosen, flags: Flags) -> str:
    if not flags.recording:
        raise _refused(chosen, flags.provider, Reason.Usage, "name", "--replay", "replay needs the recorded run")
    return flags.recording


def _count(options: dict[str, Any], name: str, origin: Origin) -> int:
    value = options.pop(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Refused(Reason.InvalidDocument, origin, f"spec.provider.options.{name}", "must be a whole number")
    return value


def _prices(options: dict[str, Any], origin: Origin) -> Prices | None:
    value = options.pop("prices", None)
    try:
        return None if value is None else Prices.model_validate_json(json.dumps(value))
    except ValidationError as error:
        where, why = fault_of(error)
        raise Refused(Reason.InvalidDocument, origin, f"spec.provider.options.prices.{where}", why) from None
