"""What the RunSpec and the environment say of a model: options, keys, prices, and how a fault of theirs is said."""

from __future__ import annotations

import os

import pytest

from sympozium_model.budget import Budget, prices_of
from sympozium_model.provider import make_provider
from sympozium_model.trouble import retry_after, said
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import LimitSpec, ModelSpec, Prices, Reply, Reservation, Started, Usage

DIGEST = "0" * 64


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "OPENAI_", "AZURE_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)


def reason(**fields: object) -> Reason:
    with pytest.raises(Ended) as ended:
        make_provider(ModelSpec(model="m", **fields))  # type: ignore[arg-type]
    return ended.value.reason


@pytest.mark.parametrize("provider", ["openai", "azure", "anthropic", "bedrock"])
def test_a_provider_without_its_key_ends_with_the_word_for_it(provider: str) -> None:
    assert reason(provider=provider) is Reason.MissingKey


def test_a_server_of_ones_own_needs_no_key() -> None:
    assert make_provider(ModelSpec(provider="openai", model="m", base_url="http://127.0.0.1:1/v1"))


def test_azure_without_an_address_ends_with_the_word_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    assert reason(provider="azure") is Reason.MissingReference


def test_bedrock_signs_with_what_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert make_provider(ModelSpec(provider="bedrock", model="m"))


def test_a_script_that_is_none_ends_with_the_field_that_is_wrong() -> None:
    with pytest.raises(Ended, match=r"steps\.0\.sya"):
        make_provider(ModelSpec(provider="scripted", model="m", script={"steps": [{"sya": "x"}]}))
    assert reason(provider="scripted") is Reason.InvalidScript


def test_a_recording_that_is_not_there_ends_with_the_word_for_it() -> None:
    assert reason(provider="replay", recording="/nowhere/at/all") is Reason.MissingReference


@pytest.mark.parametrize(
    ("provider", "model", "known"),
    [
        ("openai", "gpt-4o", True),
        ("openai", "gpt-4o-2024-08-06", True),
        ("openai", "o3-pro", False),
        ("openai", "gpt-4o-audio-preview", False),
        ("anthropic", "claude-sonnet-4-5-20250929", True),
        ("anthropic", "claude-sonnet-9", False),
    ],
)
def test_a_price_holds_for_versions_of_a_model_and_not_for_its_namesakes(
    provider: str, model: str, known: bool
) -> None:
    found = prices_of(ModelSpec(provider=provider, model=model))  # type: ignore[arg-type]
    assert (found is not None) == known


def test_the_runs_own_prices_win_over_the_table() -> None:
    mine = Prices(input=7.0, output=9.0)
    assert prices_of(ModelSpec(provider="openai", model="gpt-4o", prices=mine)) == mine


def test_dollars_tell_cached_and_written_tokens_apart() -> None:
    budget = Budget(LimitSpec(), Prices(input=4.0, output=8.0, cached_input=1.0, cache_write=5.0))
    usage = Usage(input_tokens=600_000, cached_input_tokens=200_000, cache_write_tokens=100_000, output_tokens=500_000)
    assert budget.price(usage) == pytest.approx(1.2 + 0.2 + 0.5 + 4.0)


def test_a_server_that_miscounts_its_cache_earns_the_run_no_money() -> None:
    budget = Budget(LimitSpec(), Prices(input=1.0, output=1.0, cached_input=0.0))
    assert budget.price(Usage(input_tokens=1, cached_input_tokens=1_000_000)) == 0.0


def test_a_call_that_was_started_and_lost_stays_charged() -> None:
    budget = Budget(LimitSpec(tokens=1000), None)
    held = Reservation(tokens=300, usd=0.0)
    started = [Started(id=f"m{n}-1", digest=DIGEST, reservation=held) for n in (4, 6, 8)]
    lost = Reply(id="m4-1", digest=DIGEST, outcome="interrupted")
    refused = Reply(id="m6-1", digest=DIGEST, outcome="error", failure="authentication")
    budget.restore(started, [lost, refused])
    assert (budget.calls, budget.tokens) == (3, 600)


@pytest.mark.parametrize(("code", "shown"), [("context_length_exceeded", True), ("sk-A1b2", False), ("abc123", False)])
def test_only_what_is_plainly_an_error_code_is_repeated(code: str, shown: bool) -> None:
    assert (code in said(400, code)) == shown


@pytest.mark.parametrize(
    ("header", "seconds"), [("2.5", 2.5), ("-1", 0.0), ("nan", 0.0), ("inf", 0.0), ("Wed, 21 Oct 2015", 0.0)]
)
def test_a_pause_that_a_server_asks_for_is_a_number_of_seconds_or_none(header: str, seconds: float) -> None:
    assert retry_after({"retry-after": header}) == seconds
