"""The conformance kit: starts any program as a participant and judges it only by the files that it writes.

::

    sympozium-conformance --level core --call 'word_count={"text":"one two"}' -- ./sidecar.sh

What may live here: a scratch run, the program under judgement, and the checks. Nothing here looks
inside the program; it may be written in any language.
"""
