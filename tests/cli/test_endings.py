"""How a run ends is what was read back from its files, and never better than that."""

from __future__ import annotations

import json

import pytest

SUCCESS = "result('the answer')\n"
CASES = {
    "no result": ("pass", 65),
    "an empty result": ("(IPC / 'agent/result.json').write_text('')", 65),
    "a truncated result": ("(IPC / 'agent/result.json').write_text('{\"kind\": \"RunRes')", 65),
    "a result that is a link": ("(IPC / 'agent/result.json').symlink_to('/etc/hostname')", 65),
    "a result that is a FIFO": ("os.mkfifo(IPC / 'agent/result.json')", 65),
    "an oversized result": ("(IPC / 'agent/result.json').write_text(' ' * (1 << 20) + 'x')", 65),
    "a result that is not UTF-8": ("(IPC / 'agent/result.json').write_bytes(b'\\xff\\xfe')", 65),
    "another run's result": ("SPEC['run'] = 'other'; result('x')", 65),
    "success without an answer": ("result('')", 65),
    "an answer of another digest": ("result('x', outputDigest='0' * 64)", 65),
    "success with the reason of a failure": ("result('x', reason='Timeout')", 65),
    "a result that contradicts the exit code": ("result('x'); raise SystemExit(66)", 66),
    "a failure by its reason": ("result('', reason='StepLimit', phase='Failed'); raise SystemExit(42)", 42),
    "a failure that claims to end well": ("result('', reason='StepLimit', phase='Failed')", 65),
    "an exit code that is none of ours": ("raise SystemExit(1)", 63),
    "a full disk": ("raise SystemExit(60)", 60),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_called_succeeded_without_an_answer_that_was_read_back(installation, case):
    source, code = CASES[case]
    installation.program("agent", source)
    done = installation.run("--output", "json")
    assert done.returncode == code, done.stderr
    value = json.loads(done.stdout)
    assert value["phase"] == "Failed"
    assert done.stderr.count("error: ") == 1
    assert installation.left() == []


def test_an_answer_longer_than_a_file_is_read_from_its_blob(installation):
    installation.program(
        "agent",
        """
text = "line\\n" * 400_000
import hashlib
name = hashlib.sha256(text.encode()).hexdigest()
(IPC / "agent/blobs" / name).write_text(text)
result(text[:1000], outputSize=len(text), outputDigest=name)
""",
    )
    done = installation.run()
    assert (done.returncode, len(done.stdout)) == (0, 2_000_000)


def test_a_failure_is_listed_as_such(installation):
    installation.program("agent", "result('', reason='StepLimit', phase='Failed', message='50'); raise SystemExit(42)")
    done = installation("run", "x", "-f", str(installation.objects))
    assert done.returncode == 42
    assert "error: StepLimit: 50" in done.stderr
    assert "StepLimit" in installation("runs", "list").stdout
