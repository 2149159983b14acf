"""docs/howto.md, word by word: its files are written, its commands run, with a tiny budget."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from dreamer_ablation import PROGRAMS, main
from sweeps import job, machine
from sweeps.local import forked, start_server

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(python|yaml|bash)\n(.*?)```", re.DOTALL)
THREADS = machine.thread_environment(1)
LEFT_OUT = {  # by the page: fewer steps and episodes
    "run": ["run.steps=520", "run.eval_every=260", "run.eval_episodes=1", "run.predict_every=0"],
    "measure": ["--episodes=2"],
}


@pytest.mark.skipif(sys.platform != "linux", reason="commands are forked on Linux alone")
def test_the_page_is_followed_word_by_word(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(job, "PROGRAM", ROOT / "dreamer_ablation.py")
    start_server(THREADS)
    log = tmp_path / "said.txt"
    environment = {**os.environ, **THREADS, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    for kind, text in BLOCK.findall((ROOT / "docs" / "howto.md").read_text()):
        if kind != "bash":
            file = tmp_path / text.split()[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            continue
        for line in text.replace("\\\n", "").splitlines():
            _, name, *rest = shlex.split(line, comments=True)
            with open(log, "ab") as output:
                command = forked([name, *rest, *LEFT_OUT.get(name, ())], output, environment)
            assert command.wait() == 0, log.read_text()
    said = " ".join(log.read_text().split())
    assert "2 done, 2 done before" in said
    assert re.search("raw returns.* kl_balancing_vs_standard .* undecided", said)
    assert re.search("normalised by reference.* jeffreys .* undecided", said)


@pytest.mark.parametrize("name", [*PROGRAMS, "table", "--help"])
def test_the_command_has_every_program(name, monkeypatch, capsys):
    asked = ["dreamer-ablation", name, "--help"]
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(SystemExit) as ended:
        sys.exit(main())
    said = capsys.readouterr().out
    assert not ended.value.code and {"--help": "calibrate", "run": "kl"}.get(name, "usage") in said


def test_a_command_that_is_not_there_is_one_line(monkeypatch, capsys):
    for name, said in {"tabel": "did you mean table?", "x": "allowed: run, plan, "}.items():
        monkeypatch.setattr(sys, "argv", ["dreamer-ablation", name])
        assert main() == 2
        assert capsys.readouterr().err.startswith(f"error: {name} is not known; {said}")
