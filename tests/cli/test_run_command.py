"""``sympozium run`` and what it leaves, with stand-ins for the programs."""

from __future__ import annotations

import json
import stat
import subprocess


def test_standard_output_has_the_answer_and_nothing_else(installation):
    done = installation.run()
    assert (done.returncode, done.stdout) == (0, "forty-two\n"), done.stderr
    assert str(installation.directory) in done.stderr


def test_json_output_is_the_result(installation):
    done = installation.run("--output", "json")
    value = json.loads(done.stdout)
    assert (value["kind"], value["phase"], value["output"]) == ("RunResult", "Succeeded", "forty-two")


def test_quiet_says_nothing(installation):
    assert installation.run("--quiet").stderr == ""


def test_the_directory_is_for_this_user_alone_and_complete(installation):
    installation.run()
    directory = installation.directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name for path in directory.iterdir()} >= {
        "ipc",
        "workspace",
        "tmp",
        "logs",
        "packs",
        "pod.json",
        "lock",
    }
    assert (directory / "packs/ops/pack.yaml").is_file()
    assert (directory / "ipc/agent/calls/model").is_dir()


def test_a_run_goes_below_the_state_directory_and_is_listed(installation):
    done = installation("run", "count the disks", "-f", str(installation.objects))
    assert done.returncode == 0, done.stderr
    listed = installation("runs", "list").stdout
    assert "Completed" in listed
    assert "count the disks" in listed
    name = listed.split()[0]
    assert "forty-two" in installation("runs", "show", name).stdout
    assert json.loads(installation("runs", "list", "--output", "json").stdout)["reason"] == "Completed"


def test_a_directory_that_is_named_below_the_default_place_names_the_run(installation):
    named = installation.state / "sympozium/runs/web-1"
    assert installation("run", "hi", "-f", str(installation.objects), "--dir", str(named)).returncode == 0
    assert json.loads((named / "ipc/run/run.json").read_text())["run"] == "web-1"
    odd = named.with_name("No.Id")
    assert installation("run", "hi", "-f", str(installation.objects), "--dir", str(odd)).returncode == 0
    assert json.loads((odd / "ipc/run/run.json").read_text())["run"] != odd.name


def test_the_list_is_in_order_of_time_and_its_columns_stand_below_each_other(installation):
    for name in ("web-first", "a-rather-long-name-of-a-run", "b"):
        place = installation.state / "sympozium/runs" / name
        assert installation("run", "count", "-f", str(installation.objects), "--dir", str(place)).returncode == 0
    lines = installation("runs", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["web-first", "a-rather-long-name-of-a-run", "b"]
    assert len({line.index("Completed") for line in lines}) == 1
    assert [line.split()[3:] for line in lines] == [["tester", "count"]] * 3


def test_input_may_come_from_standard_input(installation):
    command = installation.command("run", "-", "-f", str(installation.objects), "--dir", str(installation.directory))
    subprocess.run(
        command, input="from a pipe", text=True, env=installation.environment, capture_output=True, check=True
    )
    assert json.loads((installation.directory / "ipc/run/run.json").read_text())["input"] == "from a pipe"


def test_a_program_sees_only_what_it_is_given(installation):
    installation.program("agent", '(DIR / "seen").write_text(json.dumps(dict(os.environ)))\n' + "result('ok')\n")
    installation.run(OPENAI_API_KEY="sk-secret", FOO="bar", LC_TIME="C")
    seen = json.loads((installation.directory / "seen").read_text())
    assert set(seen) <= {
        "PATH", "LANG", "LC_ALL", "LC_TIME", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "USER", "LOGNAME",
        "SYMPOZIUM_IPC", "SYMPOZIUM_PARTICIPANT", "SYMPOZIUM_RUN_DIGEST", "SYMPOZIUM_WORKSPACE", "SYMPOZIUM_PARENT",
    }  # fmt: skip
    assert "LC_TIME" in seen


def test_the_key_reaches_the_model_gateway_and_no_file(installation):
    for name in ("agent", "bridge", "model", "skill"):
        source = '(DIR / f"seen-{NAME}").write_text(os.environ.get("OPENAI_API_KEY", "none")[::-1])\n'
        installation.program(
            name, source + ("wait((DIR / 'seen-model').exists); result('ok')" if name == "agent" else "idle()")
        )
    done = installation.run("--provider", "openai", "--model", "gpt-4o", OPENAI_API_KEY="sk-secret")
    assert done.returncode == 0, done.stderr
    assert (installation.directory / "seen-model").read_text() == "terces-ks"
    assert (installation.directory / "seen-agent").read_text() == "enon"
    for path in installation.directory.rglob("*"):
        if path.is_file():
            assert b"sk-secret" not in path.read_bytes(), path
    assert "sk-secret" not in done.stdout + done.stderr


SECRET = """---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {TOKEN: hunter2}
"""


def test_a_skills_secret_reaches_that_skill_alone_and_a_resume_finds_it_again(installation):
    with_secret = installation.objects.read_text().replace("commands: [touch]", "commands: [touch], secretRef: keys")
    installation.objects.write_text(with_secret + SECRET)
    for name in ("bridge", "model", "skill"):
        source = '(DIR / f"seen-{NAME}").write_text(os.environ.get("TOKEN", "none")[::-1])\nidle()'
        installation.program(name, source)
    waits = "wait(lambda: all((DIR / f'seen-{n}').exists() for n in ('ops', 'model', 'bridge')))\n"
    installation.program("agent", waits + "raise SystemExit(51)")
    assert installation.run().returncode == 51
    for seen in installation.directory.glob("seen-*"):
        assert seen.read_text() == ("2retnuh" if seen.name == "seen-ops" else "enon")
        seen.unlink()
    assert "hunter2" not in (installation.directory / "pod.json").read_text()
    installation.program("agent", waits + "result('ok')")
    done = installation("resume", str(installation.directory))
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert (installation.directory / "seen-ops").read_text() == "2retnuh"
