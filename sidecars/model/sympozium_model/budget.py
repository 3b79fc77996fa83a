"""Budgets: what the run may still spend, known before a call is sent.

Spent is what replies settled, plus the reservations of calls that were started and have no answer
that settles them. Both are read from the gateway's own files at start, so a crash forgets nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files

from sympozium_model.provider import Failed
from sympozium_protocol.messages import LimitSpec, ModelSpec, Prices, Reply, Reservation, Started, Usage

DEFAULT_OUTPUT = 8192
"""Tokens that an answer may have where neither RunSpec nor limits say."""

VERSION = re.compile(r"(-[0-9][0-9.-]*|-latest|@[0-9-]+)?")
"""What follows a model's name where it names a version of the same model."""

ROUNDING = 1e-9
"""Sums of dollars are not exact."""

BYTES_PER_TOKEN = 3
"""A cautious estimate: real text has nearer to four."""


@dataclass(slots=True)
class Budget:
    """The account of one run."""

    limits: LimitSpec
    prices: Prices | None
    free: bool = False
    """A model that costs nothing (scripted, replay)."""
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    _open: dict[str, Reservation] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    _ours: set[str] = field(default_factory=set)
    """Reserved in this life, which alone settles them."""

    def restore(self, started: Iterable[Started], replies: Iterable[Reply]) -> None:
        """Take over what other lives spent and reserved; what is known already changes nothing."""
        for mark in started:
            if mark.id not in self._known:
                self._hold(mark.id, mark.reservation or Reservation())
        for reply in replies:
            if reply.id in self._open and reply.id not in self._ours:
                self._take_over(reply)

    def _take_over(self, reply: Reply) -> None:
        if reply.outcome != "interrupted" and reply.completion is not None:
            self._release(reply.id)
            usage = reply.completion.usage
            self._charge(usage.input_tokens + usage.output_tokens, usage.usd)
        elif reply.outcome in ("interrupted", "timeout", "cancelled", "unavailable"):
            self._open.pop(reply.id)  # it stays charged; a run's gate may have said the last of these, to pay less
        else:
            self._release(reply.id)

    def _hold(self, call_id: str, reservation: Reservation) -> None:
        self._known.add(call_id)
        self.calls += 1
        self._charge(reservation.tokens, reservation.usd)
        self._open[call_id] = reservation

    def _release(self, call_id: str) -> None:
        held = self._open.pop(call_id)
        self._charge(-held.tokens, -held.usd)

    def forget(self, call_id: str) -> None:
        """It was not sent after all: another copy of the gateway has it, and its account will be read."""
        self._release(call_id)
        self._known.discard(call_id)
        self._ours.discard(call_id)
        self.calls -= 1

    def cap(self, wanted: int, input_tokens: int) -> int:
        """The output cap of the next call: what is wanted, or what is left. Raises Failed (budget)."""
        if self.calls >= self.limits.calls:
            raise Failed("budget", f"the run's limit of {self.limits.calls} calls is reached")
        cap = wanted or DEFAULT_OUTPUT
        if self.limits.tokens:
            cap = min(cap, self.limits.tokens - self.tokens - input_tokens)
        if self.limits.usd and not self.free:
            cap = min(cap, self._affordable(input_tokens))
        if cap < 1:
            raise Failed("budget", self._words())
        return cap

    @property
    def exceeded(self) -> bool:
        """Is more spent and reserved than the limits allow?"""
        limits = self.limits
        dear = bool(limits.usd) and not self.free and self.usd > limits.usd * (1 + ROUNDING)
        return self.calls > limits.calls or dear or (bool(limits.tokens) and self.tokens > limits.tokens)

    def _affordable(self, input_tokens: int) -> int:
        if self.prices is None:
            raise Failed(
                "budget",
                "limits.usd is set, but the price of this model is not known: state provider.options.prices, "
                "{input, output} in dollars per million tokens",
            )
        left = self.limits.usd - self.usd - input_tokens * _dearest(self.prices) / 1e6
        return int(left * 1e6 / self.prices.output) if self.prices.output else (DEFAULT_OUTPUT if left > 0 else 0)

    def _words(self) -> str:
        parts = []
        if self.limits.tokens:
            parts.append(f"{self.tokens} of {self.limits.tokens} tokens")
        if self.limits.usd:
            parts.append(f"${self.usd:.4f} of ${self.limits.usd:.2f}")
        return f"the next call could exceed the run's budget ({', '.join(parts)} used)"

    def reserve(self, call_id: str, input_tokens: int, cap: int) -> Reservation:
        """Hold the worst case of a call that is about to be sent."""
        prices = self.prices or Prices()
        usd = 0.0 if self.free else (input_tokens * _dearest(prices) + cap * prices.output) / 1e6
        found = Reservation(tokens=input_tokens + cap, usd=usd)
        self._hold(call_id, found)
        self._ours.add(call_id)
        return found

    def settle(self, call_id: str, usage: Usage | None) -> Usage | None:
        """Replace the reservation by what was used; None keeps nothing (no answer was had, and none paid)."""
        self._release(call_id)
        if usage is None:
            return None
        priced = usage if self.free or usage.usd else usage.model_copy(update={"usd": self.price(usage)})
        self._charge(priced.input_tokens + priced.output_tokens, priced.usd)
        return priced

    def price(self, usage: Usage) -> float:
        """Dollars of a completion."""
        if self.prices is None:
            return 0.0
        p = self.prices
        # a server that counts more from the cache than there was must not earn the run money
        plain = max(0, usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens)
        cached = p.cached_input if p.cached_input is not None else p.input
        written = p.cache_write if p.cache_write is not None else p.input
        total = plain * p.input + usage.cached_input_tokens * cached
        return (total + usage.cache_write_tokens * written + usage.output_tokens * p.output) / 1e6

    def _charge(self, tokens: int, usd: float) -> None:
        self.tokens += tokens
        self.usd += usd


def _dearest(prices: Prices) -> float:
    return max(prices.input, prices.cache_write or 0.0)


def prices_of(model: ModelSpec) -> Prices | None:
    """The RunSpec's prices, or the table's for the model or a version of it; None when unknown."""
    if model.prices is not None:
        return model.prices
    table = json.loads(files("sympozium_model").joinpath("prices.json").read_text(encoding="utf-8"))
    known = table.get(model.provider, {})
    prefix = max((name for name in known if _is_version(model.model, name)), key=len, default=None)
    return Prices.model_validate_json(json.dumps(known[prefix])) if prefix else None


def _is_version(model: str, name: str) -> bool:
    """Is it ``name`` itself, or dated or numbered? `o3-pro` is another model than `o3`, at ten times its price."""
    return model.startswith(name) and VERSION.fullmatch(model[len(name) :]) is not None


def estimate(size: int) -> int:
    """Tokens of so many bytes, cautiously."""
    return -(-size // BYTES_PER_TOKEN)
