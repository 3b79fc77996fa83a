"""--elsewhere: a participant of the run that answers over the bus, and has no program in the pod."""

from __future__ import annotations

from collections.abc import Callable

import jsonschema_rs
import pytest

from sympozium_controller.assemble import assemble
from sympozium_controller.errors import Refused
from sympozium_controller.outfit import Outfit
from sympozium_controller.pod import Mount, Program
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.wellknown import SCHEDULE_TASK, SEND_CHANNEL_MESSAGE

Resolve = Callable[..., RunSpec]


def mounts_of(program: Program, name: str) -> dict[str, Mount]:
    return {mount.path: mount for mount in program.mounts if mount.path.startswith(f"/ipc/{name}")}


def test_a_participant_elsewhere_is_placed_on_the_bus_under_its_service(resolved: Resolve) -> None:
    spec = resolved(input="x", memory=True, elsewhere=("memory=memory-of-all", "model"))
    memory, model = spec.participant("memory"), spec.participant("model")
    assert memory is not None
    assert (memory.placement, memory.answered_by) == ("bus", "memory-of-all")
    assert memory.required
    assert model is not None
    assert (model.placement, model.answered_by) == ("bus", "model")


def test_the_pod_has_no_program_for_it_and_the_gate_writes_its_directory(resolved: Resolve) -> None:
    pod = assemble(resolved(input="x", memory=True, elsewhere=("memory", "shell")), Outfit())
    assert [program.name for program in pod.participants] == ["model"]
    assert all(mount.writable for mount in mounts_of(pod.bridge, "memory").values())
    assert not any(mount.writable for mount in mounts_of(pod.bridge, "model").values())
    assert not any(mount.writable for mount in mounts_of(pod.agent, "memory").values())
    writers = [
        p.name
        for p in (pod.agent, pod.bridge, *pod.participants)
        if any(mount.volume == "ipc.memory" and mount.writable for mount in p.mounts)
    ]
    assert writers == ["bridge"]


def test_channels_and_schedules_exist_only_elsewhere_and_write(resolved: Resolve) -> None:
    spec = resolved(input="x", elsewhere=("channels", "schedules=cron"))
    channels, schedules = spec.participant("channels"), spec.participant("schedules")
    assert channels is not None
    assert schedules is not None
    assert [(tool.name, tool.effect) for tool in channels.tools] == [("send_channel_message", "write")]
    assert [(tool.name, tool.effect) for tool in schedules.tools] == [("schedule_task", "write")]
    assert schedules.answered_by == "cron"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("telepathy",), "is no participant of this run; there are: channels, model, schedules"),
        (("memory=Not A Name",), "not PARTICIPANT or PARTICIPANT=SERVICE"),
        (("model", "model=other"), "is named twice"),
    ],
)
def test_what_cannot_be_elsewhere_is_refused_as_usage(resolved: Resolve, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(Refused) as refused:
        resolved(input="x", elsewhere=words)
    assert refused.value.reason is Reason.Usage
    assert said in refused.value.message


def test_arguments_of_the_well_known_tools_are_checked_by_their_schemas() -> None:
    message = jsonschema_rs.validator_for(SEND_CHANNEL_MESSAGE.parameters)
    assert message.is_valid({"channel": "slack", "text": "the disk is full"})
    assert not message.is_valid({"channel": "slack"})
    task = jsonschema_rs.validator_for(SCHEDULE_TASK.parameters)
    assert task.is_valid({"action": "create", "name": "nightly", "schedule": "0 3 * * *", "input": "look"})
    assert not task.is_valid({"action": "create", "name": "nightly", "schedule": "0 3 * *", "input": "look"})
    assert not task.is_valid({"action": "explode", "name": "nightly"})
