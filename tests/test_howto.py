"""docs/howto.md, word by word: its files are written, its commands run, with a tiny budget."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dreamer_ablation import PROGRAMS, main

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(python|yaml|bash)\n(.*?)```", re.DOTALL)
SHORT = "run.steps=520 run.eval_every=260 run.eval_episodes=1 run.threads=1 run.predict_every=0"
# what the page leaves out: fewer steps and episodes
COMMAND = f"""#!/bin/sh
name=$1; shift
case $name in
    run) set -- "$@" {SHORT} ;;
    measure) set -- "$@" --episodes=2 ;;
esac
exec {sys.executable} -m dreamer_ablation $name "$@"
"""


def test_the_page_is_followed_word_by_word(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dreamer-ablation").write_text(COMMAND)
    (tmp_path / "bin" / "dreamer-ablation").chmod(0o755)
    work = tmp_path / "work"
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{work}:{ROOT}",
    }
    said = ""
    for kind, text in BLOCK.findall((ROOT / "docs" / "howto.md").read_text()):
        if kind == "bash":
            done = subprocess.run(
                ["bash", "-ec", text], cwd=work, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
            said += done.stdout
        else:
            file = work / text.split()[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    said = " ".join(said.split())
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
