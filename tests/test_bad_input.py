"""What a user can get wrong, one row each: a command, its exit status, and what its one line names.

Rows of a family of commands share a function that runs them in this process. A new family is a list
of rows and such a function.
"""

import importlib
import re
from pathlib import Path

import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra

import analysis.__main__
from tests.analysis.runs import write_run


def is_one_line(error: str, named: str) -> bool:
    """Whether an error is one short line that starts like one and names what it should."""
    fits = re.fullmatch(r"error: .{1,500}\n", error)
    return bool(fits) and named in error and "None" not in error


RUN = [
    # Hydra's names and grammar
    ("latent=gausian", "latent=gausian is not known; did you mean latent=gaussian?"),
    ("~latent", "latent=null must be a table of keys and values"),
    ("hydra/launcher=locl", "hydra/launcher=locl is not known; did you mean hydra/l"),
    ("kl.alhpa=0.5", "kl.alhpa is not known; did you mean kl.alpha?"),
    ("kl=standard kl.alpha=0.5", "kl.alpha: the chosen options have no such number"),
    ("seed=3", "seed is not known; allowed: run.seed"),
    ("~run.steps", "run.steps is missing"),
    ("+sweep=claims", "+sweep=claims asks for many runs: python run.py -m +sweep=claims"),
    ("nonsense", "nonsense"),
    ("run.seed=[1", "run.seed=[1: no viable alternative"),
    ("run.root=~/é", "run.root=~/é: quote the value"),
    ("--config-dir=/nowhere", "--config-dir=/nowhere: there is no such folder"),
    ("-m --config-name=confg", "confg is not known; did you mean --config-name=confi"),
    ("-m -c job", "--cfg: allowed with -m: --config-dir, --config-name"),
    ("hydra.searchpath=[", "hydra.searchpath=[: allowed: hydra.searchpath=[FOLDER,...]"),
    ("hydra.searchpath=null", "hydra.searchpath=null: allowed: hydra.searchpath=[FOLDER,...]"),
    ("latent=gaussian,binary", "several values need -m"),
    ("run.root=${nope}", "Interpolation key 'nope' not found"),
    # keys that nobody reads
    ("+foo=bar", "foo is not known; allowed: latent, "),
    ("+recipe.learning_rate=3", "recipe.learning_rate is not known; did you mean recipe.lear"),
    ("+task.env.pixel=true", "task.env.pixel is not known; did you mean task.env.pixels?"),
    ("+tracker.x=1", "tracker.x is not known; allowed: name"),
    # values
    ("run.root=null", "run.root=null must be a name"),
    ("run.root=/proc/x", "/proc/x"),
    ("run.device=cuda:77", "run.device=cuda:77: not on this machine; allowed here: auto, cpu"),
    ("run.threads=100000", "run.threads=100000: allowed here: 1 to "),
    ("run.retry_failed=perhaps", "run.retry_failed=perhaps must be true or false"),
    ("run.predict_every=-5", "run.predict_every=-5 must be a whole number of at least 0"),
    ("recipe.capacity=7", "recipe.capacity=7: must hold a sequence of 16 steps"),
    ("run.train_every=inf", "run.train_every=inf must be a number greater than 0"),
    ("run.train_every=9000", "run.steps=6000: no gradient step would be made"),
    ("recipe.start_every=17", "recipe.start_every=17: a sequence has 16 steps"),
    # environments
    ("suite=gym task.id=Pendulum-v1", "are continuous, the task's are discrete: use task=gym_cont"),
    ("suite=gym task=gym_continuous task.id=CartPole-v1", "are discrete, the task's are continu"),
    ("suite=gym task.id=CartPol-v1", "cannot make environment CartPol-v1: "),
    ("suite=gym task.id=Blackjack-v1", "is not supported; allowed: "),
    ("suite=gym task.id=nowhere:Foo-v1", "nowhere:Foo-v1 misses a package: "),
    ("suite=gym +task.env.kwargs.no_such=1", "cannot make environment CartPole-v1: TypeError: "),
    ("suite=gym task.action_repeat=0", "action_repeat=0 must be a whole number greater than 0"),
    ("suite=atari task.env.grayscale=nope", "task.env.grayscale=nope must be true or false"),
    ("suite=atari task.env.noop_max=-1", "task=alien cannot be played: "),
    ("suite=atari task.env.repeat_action_probability=1.5", "=1.5 must be a number of at least 0"),
    ("suite=atari task.env.game=pongg", "pongg has no ROM in ale-py; close to it: pong"),
    ("suite=atari task.env.max_frames=0", "max_frames=0 must be a whole number greater than 0"),
    ("suite=minatar task.env.sticky_action_prob=-1", "prob=-1.0 must be a number of at least 0"),
    ("suite=minatar task.env.max_steps=0", "max_steps=0 must be a whole number greater than 0"),
    ("suite=minatar task.env.game=pong", "MinAtar has no game pong; allowed: asterix, "),
    # values of other tables
    ("task.env=3", "task.env=3 must be a table of keys and values"),
    ("kl._target_=null", "kl._target_=null must be a class or a function"),
    ("kl._target_=agent.toggles.kl.Nope", "agent.toggles.kl.Nope"),
    ("tracker=wandb tracker.mode=of", "tracker.mode=of must be one of online, offline"),
    ("kl=free_nats recipe.free_nats=1", "recipe.free_nats=1: none of the chosen options reads"),
    ("recipe.length=16.0", "recipe.length=16.0 must be a whole number of at least 2"),
    ("run.seed=9223372036854775808", "must be a whole number of at least 0 and less than 9223"),
    # multiruns, before their first run
    ("-m latent=categorical,null", "latent=null is not known; allowed: binary, categorical"),
    ("-m kl.alpha=0.5,1.5", "mini/cartpole/kl.alpha=1.5 seed 0: kl.alpha=1.5 must be a number"),
    ("-m task=cartpole,pong", "task=pong is not in suite=mini"),
    ("-m run.root=/dev/null run.seed=0,1", "run.root=/dev/null: /dev/null is no folder"),
    ("-m task=glob(nothing*)", "names nothing"),
    ("-m recipe.clip=interval(1,2)", "no grid; allowed"),
    ("-m +sweep=claims suite.tasks=[]", "suite=mini has no tasks"),
    ("-m run.seed=0,1 run.threads=0", "run.threads=0"),
    ("-m run.seed=0,1 hydra/sweeper=basic", "hydra/sweeper=basic: allowed here: ablation"),
    ("-m schedule=constant,actor_mix actor_grad=reinforce", "schedule=actor_mix with actor_gra"),
    ("-m hydra.sweeper.grid=HERE/list.yaml", "parameters are [1, 2]; allowed: a table"),
    ("-m hydra.sweeper.grid=HERE/empty.yaml", "parameter latent is {'values': []}; a grid"),
    ("-m hydra.sweeper.grid=HERE/latin.yaml", "latin.yaml is no W&B sweep"),
    ("-m hydra.sweeper.grid=HERE/arm.yaml", "arm=1: allowed: an arm's name"),
    ("-m hydra.sweeper.grid=HERE/bayes.yaml", "method bayes needs a W&B server; allowed here: g"),
    ("-m hydra.sweeper.grid=HERE/none.yaml", "none.yaml is no W&B sweep"),
    ("-m hydra.sweeper.grid=HERE/cut.yaml", "cut.yaml is no W&B sweep"),
    ("-m +sweep=claims,latent", "+sweep=claims,latent: several values; allowed: one"),
    ("run.seed=0 -m latent=gausian,binary", "latent=gausian is not known"),
    # what a trial fixes
    ("TRIAL run.seed=range(5)", "the trial gives the options and the seeds"),
    ("TRIAL latent=binary,gaussian", "the trial gives the options and the seeds"),
    ("TRIAL hydra.sweeper.rounds=9", "rounds=9 must be a whole number of at least 1"),
    ("TRIAL hydra.sweeper.weights={gru:{plain:0}}", "weights: weights gru plain"),
    ("TRIAL hydra.sweeper.weights={gruu:{a:1,b:1}}", "gruu"),
    ("TRIAL hydra.sweeper.weights={kl:{standard:1}}", "make kl=standard; list the base"),
    ("TRIAL hydra.sweeper.results=[none.csv] ONE_TOGGLE", "there is no file none.csv"),
    ("TRIAL hydra.sweeper.claims=HERE/claims.yaml", "claims.yaml registers no trial"),
    ("-m hydra.sweeper.rounds=1", "rounds is an option of +sweep=trial"),
]
SEVERAL = [
    (
        "kl.alpha=2 run.steps=-5 latent.min_std=0 latent=gaussian +explore.x=1 task.random=no",
        [
            *("task.random=no must be a number or null", "explore.x is not known; allowed: entrop"),
            *("run.steps=-5 must be a whole number greater than 0", "latent.min_std=0 must be a"),
            "kl.alpha=2 must be a number of at least 0 and at most 1",
        ],
    ),
    (
        "gradients=no_reward recipe.reward_scale=0 run.steps=20 entropy=long_term "
        "recipe.entropy_scale=0",
        ["entropy=long_term with", "gradients=no_reward with", "run.steps=20: no gradient step"],
    ),
    (
        "-m kl.alpha=2,0.5 +kl.x=1 actor_grad=mixed actor_grad.dynamics_weight=7",
        ["kl.alpha=2 must be", "kl.x is not known", "actor_grad.dynamics_weight=7 must be"],
    ),
]


@pytest.mark.parametrize("command, named", SEVERAL, ids=[row[0][:30] for row in SEVERAL])
def test_all_that_is_wrong_is_said_one_line_each(run_py, tmp_path, command, named):
    code, _, error = run_py(*command.split(), f"run.root={tmp_path / 'runs'}")
    assert code == 2 and not list(tmp_path.iterdir())
    lines = error.splitlines()
    assert len(lines) == len(named) and all(line.startswith("error: ") for line in lines)
    assert all(any(name in line for line in lines) for name in named), error


SHORTER = {
    "TRIAL": "-m +sweep=trial task=catch",
    "ONE_TOGGLE": "hydra.sweeper.weights={gru:{layer_norm:1,plain:1}}",
}
SWEEPS = {  # files of W&B sweeps and, without a trial, of claims
    "list": "method: grid\nparameters: [1, 2]",
    "empty": "method: grid\nparameters: {latent: {values: []}}",
    "arm": "method: grid\nparameters: {arm: {values: [1, 2]}}",
    "bayes": "method: bayes\nparameters: {}",
    "none": "parameters: {}",
    "cut": "{",
    "latin": "method: grid # \xe9",
    "claims": "margin: {mini: 0.1}\nclaims: [{id: a, paper: none, with: kl=standard, "
    "without: baseline, where: discrete}]",
}


@pytest.mark.parametrize("command, named", RUN, ids=[row[0] for row in RUN])
def test_run(run_py, tmp_path, command, named):
    for name, text in SWEEPS.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="latin-1")
    there, given = set(tmp_path.iterdir()), command
    for name, text in {**SHORTER, "HERE": str(tmp_path)}.items():
        given = given.replace(name, text)
    root = [] if "run.root=" in command else [f"run.root={tmp_path / 'runs'}"]
    code, _, error = run_py(*given.split(), *root)
    assert code == 2 and is_one_line(error, named), error
    assert set(tmp_path.iterdir()) == there  # before any work


PROGRAMS = [
    ("sweeps.plan +sweep=nope", "sweep=nope is not known; allowed: actor_grad, "),
    ("sweeps.plan hydra.sweeper.grid=x.yaml", "x.yaml is no W&B sweep: [Errno 2] No such file"),
    ("sweeps.plan hydra.launcher.n_jobs=abc", "hydra.launcher.n_jobs=abc must be a whole number"),
    ("sweeps.wandb_sweeps write --out old/run.json", "File exists: 'old/run.json'"),
    ("sweeps.publish empty", "empty: no runs there"),
    ("sweeps.publish none latent=gaussian", "latent=gaussian: allowed: tracker=wandb"),
    ("sweeps.publish none tracker=none", "tracker=none shows nothing; allowed: wandb, tensor"),
    ("sweeps.publish none tracker=wandbb", "tracker=wandbb is not known; did you mean tracker=w"),
    ("agent.watch none --out a.gif", "none is no run's folder: it has no run.json"),
    ("agent.watch old --out a.gif", "old/run.json has no config: a run of this program"),
    ("agent.watch new --out a.gif", "new has no checkpoint yet"),
    ("agent.watch new --out a.mp4", "a.mp4: allowed: a name that ends in .gif"),
    ("agent.watch new --out none/a.gif", "none/a.gif: allowed: a name that ends in .gif, in a fol"),
    ("agent.watch new --steps 0", "--steps=0 must be a whole number greater than 0"),
    ("agent.watch new --seed -1", "--seed=-1 must be a whole number of at least 0"),
]


@pytest.mark.parametrize("command, named", PROGRAMS, ids=[row[0] for row in PROGRAMS])
def test_other_programs(capsys, tmp_path, monkeypatch, command, named):
    GlobalHydra.instance().clear()
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    for folder, text in {"old": "{}", "new": '{"config": {}}'}.items():
        Path(folder).mkdir()
        Path(folder, "run.json").write_text(text)
    program, *given = command.split()
    assert importlib.import_module(program).main(given) == 2
    out, error = capsys.readouterr()
    assert is_one_line(error, named) and not out


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
)
# Files that the commands below are given, by name; a name with a folder is a run's.
FILES = {
    "latin.yaml": b"margin: {mini: 0.1} # \xe9",
    "bomb.yaml": BOMB,
    "deep.yaml": "[" * 50_000,
    "empty.csv": "",
    "binary.csv": b"\xff\xfe\x00",
}
CSVS = {"suite": "", "seed": "x"}  # an exported run's file with another value in this column
CLAIMS = ("table", "--runs", "{runs}", "--out", "{out}", "--claims")
TABLE = ("table", "--out", "{out}", "--runs")

ANALYSIS = [
    # claims files
    ((*CLAIMS, "{here}/none.yaml"), "none.yaml: cannot read the claims"),
    ((*CLAIMS, "{here}/latin.yaml"), "not valid YAML (unacceptable"),
    ((*CLAIMS, "{here}/bomb.yaml"), "anchors and aliases (& and *) are not allowed"),
    ((*CLAIMS, "{here}/deep.yaml"), "deep.yaml: not valid YAML"),
    # runs
    ((*TABLE, "/nowhere"), "/nowhere: no such folder of runs or csv file"),
    ((*TABLE, "{broken}"), "no readable run found; expected folders with a run.json and a scor"),
    ((*TABLE, "{here}/empty.csv"), "empty.csv: not a csv of runs"),
    ((*TABLE, "{here}/suite.csv"), "suite.csv: the column suite: Input should be a valid s"),
    ((*TABLE, "{here}/seed.csv"), "the column seed: Input should be a valid integer"),
    ((*TABLE, "{here}/binary.csv"), "binary.csv: not a csv of runs"),
    ((*TABLE, "{here}/cut.csv.gz"), "cut.csv.gz: not a csv of runs"),
    # what cannot be written
    (("export", "--runs", "{runs}", "--out", "/nope/x.csv"), "x.csv: there is no folder /nope"),
    (("export", "--runs", "{runs}", "--out", "{here}"), "is a folder; a file is wanted"),
    (("table", "--runs", "{runs}", "--out", "{here}/empty.csv"), "cannot make this folder"),
    (("plot", "--runs", "{runs}", "--out", "/proc/x"), "/proc/x: No such file or directory"),
    (("calibrate", "--out", "/nope/x.md"), "x.md: there is no folder /nope"),
    (("calibrate", "--out", "{here}/x.md", "--studies", "0"), "--studies 0: at least 1 study"),
    # score files; the others are in tests/analysis/test_published.py
    (("published", "--out", "{out}", "--from", "/nowhere"), "cannot read the official score file"),
    (("published", "--from", "{here}", "--out", "{here}/empty.csv"), "cannot make this folder"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Folders by the names that the rows use."""
    here = tmp_path_factory.mktemp("input")
    for name, content in FILES.items():
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    write_run(here / "runs")
    (write_run(here / "broken") / "run.json").write_text("{")
    exported = here / "cut.csv.gz"
    analysis.__main__.main(["export", "--runs", str(here / "runs"), "--out", str(exported)])
    for name, value in CSVS.items():
        pd.read_csv(exported).assign(**{name: value}).to_csv(here / f"{name}.csv", index=False)
    exported.write_bytes(exported.read_bytes()[:-9])
    return {"here": here, **{name: here / name for name in ("out", "runs", "broken")}}


@pytest.mark.parametrize("command, named", ANALYSIS, ids=[row[1] for row in ANALYSIS])
def test_analysis(places, capsys, command, named):
    before = {*places["here"].parent.rglob("*")}
    assert analysis.__main__.main([part.format(**places) for part in command]) == 2
    error = capsys.readouterr().err
    assert is_one_line(error, named), error
    assert {*places["here"].parent.rglob("*")} == before  # before any work
