"""HTML to text."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given, settings, strategies as st

from sympozium_runner.readable import readable

TAGS = [
    *("p", "div", "b", "a", "ul", "ol", "li", "table", "tr", "td", "th", "pre", "code", "blockquote", "h1", "h3"),
    *("br", "hr", "img", "script", "head", "title", "body", "form", "span", "select"),
]


def test_headings_links_lists_code_and_quotations_keep_their_shape() -> None:
    page = """<title>T &amp; x</title><script>no()</script><h1>Head <b>ing</b></h1>
      <p>One   <a href="/c?x=1">link</a>, <code>code</code>.<ul><li>a<ul><li>aa</ul><li>b</ul><ol><li>x<li>y</ol>
      <blockquote><p>said<p>more</blockquote><pre>def f():\n    return 1</pre><a href="javascript:x">js</a>"""
    assert readable(page, "https://e.org/a/") == (
        "Title: T & x\n\n# Head ing\n\nOne [link](https://e.org/c?x=1), `code`.\n\n- a\n  - aa\n- b\n\n1. x\n2. y\n\n"
        "> said\n>\n> more\n\n```\ndef f():\n    return 1\n```\n\njs"
    )


def test_a_table_of_data_is_a_table_and_one_that_arranges_a_page_is_not() -> None:
    data = "<table><tr><th>A<th>B</tr><tr><td>1<td>2|3</table>"
    assert readable(data) == "| A | B |\n| --- | --- |\n| 1 | 2\\|3 |"
    layout = f"<table><tr><td>menu</td><td>{data}</td></tr></table>"
    assert readable(layout).startswith("menu\n\n| A | B |")


def test_hidden_parts_and_control_characters_are_left_out() -> None:
    assert readable("<p hidden>no<p>ye\x1bs<template>no</template>") == "yes"


fragments = st.recursive(
    st.text(max_size=20),
    lambda inner: st.builds(
        lambda tag, attribute, parts, closed: f"<{tag} {attribute}>{''.join(parts)}" + (f"</{tag}>" if closed else ""),
        st.sampled_from(TAGS),
        st.sampled_from(
            ["", "href='/x y)'", "href='http://[x'", "hidden", "alt=q", "href='\x00'", "href='mailto:a@b'"]
        ),
        st.lists(inner, max_size=4),
        st.booleans(),
    ),
    max_leaves=30,
)


@given(fragments)
@settings(max_examples=300, deadline=None)
def test_no_page_breaks_the_walker(page: str) -> None:
    text = readable(page, "https://example.org/a")
    assert "\x00" not in text
    assert "\n\n\n" not in text or "<pre" in page


@given(st.text(max_size=500))
@settings(deadline=None)
def test_no_text_breaks_the_walker(page: str) -> None:
    readable(page, page)


def test_a_deeply_nested_page_needs_no_stack() -> None:
    assert readable("<blockquote><ul><li>" * 3000 + "deep").endswith("deep")


def test_as_a_program_it_reads_standard_input() -> None:
    command = [sys.executable, "-I", "-m", "sympozium_runner.readable", "https://e.org"]
    done = subprocess.run(command, input="<a href=x>é</a>".encode(), stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode() == "[é](https://e.org/x)"
