"""What an agent tells at its end fits the bytes that there are, and says when it is cut."""

from __future__ import annotations

import pytest

from sympozium_protocol.files import digest
from sympozium_protocol.messages.result import RunResult, RunUsage
from sympozium_protocol.messages.termination import LARGEST, Termination

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def result(output: str, message: str = "") -> RunResult:
    data = output.encode("utf-8", "surrogatepass")
    return RunResult(
        run="r-1",
        phase="Succeeded",
        reason="Completed",
        message=message,
        output=output,
        output_size=len(data),
        output_digest=digest(data),
        usage=RunUsage(input_tokens=10, model_calls=2, usd=0.01),
        steps=2,
        last_seq=7,
        start_time="2026-11-20T09:30:00.125Z",
        completion_time="2026-11-20T09:31:07Z",
    )


def test_a_short_answer_is_told_whole() -> None:
    told = Termination.decode(Termination.of(result("It is 5."), DIGEST).within(LARGEST))
    assert (told.output, told.cut, told.output_size) == ("It is 5.", False, 8)
    assert told.run_digest == DIGEST
    assert told.usage == RunUsage(input_tokens=10, model_calls=2, usd=0.01)


@pytest.mark.parametrize("character", ["a", "é", "€", "𝄞", '"', "\n", "\x01"])
def test_an_answer_is_cut_to_what_fits_between_two_characters(character: str) -> None:
    whole = character * 9000
    data = Termination.of(result(whole), DIGEST).within(LARGEST)
    told = Termination.decode(data)
    assert LARGEST - 8 < len(data) <= LARGEST
    assert told.cut
    assert told.output_size == len(whole.encode())
    assert told.output_digest == digest(whole.encode())
    assert whole.startswith(told.output)


def test_an_answer_fits_exactly_or_is_cut_by_one_character() -> None:
    whole = Termination.of(result("x" * 1000), DIGEST)
    size = len(whole.within(LARGEST))
    assert not Termination.decode(whole.within(size)).cut
    less = Termination.decode(whole.within(size - 1))
    assert less.cut
    assert len(less.output) == 1000 - 1 - len(',"cut":true')


@pytest.mark.parametrize("limit", [4096, 3072, 1024, 640, 300, 200])
def test_every_share_of_a_pod_holds_at_least_reason_size_and_digest_or_the_reason(limit: int) -> None:
    data = Termination.of(result("y" * 5000, "because " * 1000), DIGEST).within(limit)
    told = Termination.decode(data)
    assert len(data) <= limit
    assert told.reason == "Completed"
    assert told.run_digest == DIGEST
    assert limit < 600 or (told.output_size, told.cut) == (5000, True)


def test_a_long_message_leaves_room_for_nothing_else_and_is_cut_too() -> None:
    told = Termination.decode(Termination(reason="InternalError", message="m" * 9000).within(LARGEST))
    assert told.message == "m" * len(told.message)
    assert 3000 < len(told.message) < 9000


def test_what_utf8_cannot_hold_is_replaced() -> None:
    told = Termination.decode(Termination.of(result("a\ud800b")).within(LARGEST))
    assert told.output == "a?b"


def test_too_few_bytes_for_a_reason_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        Termination(reason="Completed").within(20)
