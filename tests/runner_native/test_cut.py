"""cut_middle: what is shown, what is said to be missing."""

from __future__ import annotations

from hypothesis import given, strategies as st

from sympozium_runner.cut import cut_middle

ANY_TEXT = st.text(st.characters(codec=None), max_size=400)


def test_a_text_that_fits_is_left_alone() -> None:
    assert cut_middle("abc", 3) == ("abc", 0)


def test_the_head_and_the_tail_stay_and_lines_stay_whole() -> None:
    lines = [f"line {number:04}" for number in range(1000)]
    shown, left_out = cut_middle("\n".join(lines), 1000)
    kept = [line for line in shown.split("\n") if not line.startswith("[...")]
    assert kept[0] == "line 0000"
    assert kept[-1] == "line 0999"
    assert all(line in lines for line in kept if line)
    assert f"{left_out} bytes left out" in shown


@given(ANY_TEXT, st.integers(0, 300))
def test_nothing_is_lost_uncounted_and_the_limit_holds(text: str, limit: int) -> None:
    shown, left_out = cut_middle(text, limit)
    mark = f"\n[... {left_out} bytes left out here ...]\n"
    assert len(shown) <= max(limit, len(mark))
    if left_out:
        at = next(i for i in range(len(shown)) if shown.startswith(mark, i) and _fits(text, shown, i, mark, left_out))
        assert text.startswith(shown[:at])
    else:
        assert shown.replace(mark, "") == text or shown == text


def _fits(text: str, shown: str, at: int, mark: str, left_out: int) -> bool:
    head, tail = shown[:at], shown[at + len(mark) :]
    size = len(text.encode("utf-8", "surrogatepass"))
    kept = len((head).encode("utf-8", "surrogatepass")) + len(tail.encode("utf-8", "surrogatepass"))
    return text.startswith(head) and text.endswith(tail) and size == kept + left_out
