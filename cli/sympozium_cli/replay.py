"""The recorded run once more: the same RunSpec, with the recording in the model's place."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from sympozium_cli import podfile
from sympozium_cli.inputs import Prepared, check_size
from sympozium_cli.podfile import Saved, Source
from sympozium_cli.rundir import RunDirectory
from sympozium_controller.pod import Pod, Program
from sympozium_protocol.files import digest
from sympozium_protocol.messages.spec import ModelSpec, RunSpec
from sympozium_protocol.process import read_run

RUN_DIGEST = "SYMPOZIUM_RUN_DIGEST"


def prepare_again(recorded: RunDirectory, text: str, approve: str, *, run_id: str, now: str) -> Prepared:
    """``text``: another input, or empty. Raises Ended."""
    saved = podfile.load(recorded)
    with recorded.open_ipc() as ipc:
        spec = read_run(ipc)
    again = spec_again(spec, recorded.record, text, approve, run_id=run_id, now=now)
    pod = pod_again(saved.pod, again)
    check_size(pod)
    kept = Saved(pod, saved.namespace, sources_again(saved, pod), approve)
    return Prepared(again, kept, podfile.values(kept, os.environ))


def spec_again(spec: RunSpec, recording: Path, text: str, approve: str, *, run_id: str, now: str) -> RunSpec:
    """The recorded RunSpec as that of a new run, answered from ``recording``."""
    model = ModelSpec(
        participant=spec.model.participant,
        provider="replay",
        model=spec.model.model,
        max_output_tokens=spec.model.max_output_tokens,
        context_tokens=spec.model.context_tokens,
        prices=spec.model.prices,
        recording=str(recording),
    )
    return spec.model_copy(
        update={
            "run": run_id,
            "created": now,
            "input": text or spec.input,
            "model": model,
            "approval": spec.approval.model_copy(update={"somebody": approve != "none"}),
        }
    )


def pod_again(pod: Pod, spec: RunSpec) -> Pod:
    """The recorded pod around the new RunSpec; its model gateway needs no key and no network."""
    run = spec.encode()
    told = digest(run)
    model = spec.model.participant
    participants = tuple(_offline(p) if p.name == model else p for p in pod.participants)
    return replace(
        pod,
        name=spec.run,
        run=run,
        agent=_told(pod.agent, told),
        bridge=_told(pod.bridge, told),
        participants=tuple(_told(p, told) for p in participants),
    )


def _offline(model: Program) -> Program:
    return replace(
        model, secrets=(), egress=(), inherits=tuple(n for n in model.inherits if n in ("LANG", "LC_ALL", "TZ"))
    )


def _told(program: Program, told: str) -> Program:
    return replace(program, env=tuple((n, told if n == RUN_DIGEST else value) for n, value in program.env))


def sources_again(saved: Saved, pod: Pod) -> tuple[Source, ...]:
    """Those that a program of the new pod still wants."""
    wanted = {(s.variable, s.secret, s.key) for program in pod.participants for s in program.secrets}
    return tuple(s for s in saved.sources if (s.variable, s.secret, s.key) in wanted)
