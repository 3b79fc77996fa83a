"""A check is a title and a function that raises Broken; the report is one line for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from sympozium_protocol.conformance.asking import Broken
from sympozium_protocol.conformance.lab import Lab


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the contract, and how it is tried."""

    title: str
    judge: Callable[[Lab], None]


def make(checks: tuple[Check, ...], lab: Lab, out: TextIO) -> int:
    """Make the checks one after the other, saying how each ended. Returns how many failed.

    The first is about the manifest: without one nothing else can be judged. After a failure the next
    check has a run of its own, so that one fault is not counted twice.
    """
    failed = 0
    for number, check in enumerate(checks):
        try:
            check.judge(lab)
        except Broken as fault:
            failed += 1
            lab.renew()
            print(f"FAIL {check.title}\n       expected: {fault.expected}\n       seen:     {fault.seen}", file=out)
            if number == 0:
                print(f"     not judged without a manifest: the other {len(checks) - 1} checks", file=out)
                break
        else:
            print(f"ok   {check.title}", file=out)
        out.flush()
    print(f"{len(checks)} checks, {failed} failed" if failed else f"all {len(checks)} checks passed", file=out)
    return failed
