"""The settings of a run: its budget, what it writes and when, and how it uses the machine."""

from dataclasses import dataclass

from agent.checked import Checked, choice, flag, number, positive, text, whole

PRECISIONS = ("float32", "bf16")
MATMUL_PRECISIONS = ("highest", "high", "medium")


@dataclass(frozen=True)
class Settings(Checked, group="run"):
    """The group `run` of the configuration; conf/config.yaml says what each is."""

    seed: int = whole(0)
    steps: int = whole(1)
    train_every: float = positive()
    eval_every: int = whole(1)
    eval_episodes: int = whole(1)
    eval_max_steps: int = whole(1)
    log_every: int = whole(1)
    predict_every: int = whole(0)
    checkpoint_every: int = whole(1)
    watch: bool = flag()
    stop_seconds: float = number(0)
    keep_replay: bool = flag()
    root: str = text()
    device: str = text()
    jobs_per_gpu: int = whole(1)
    retry_failed: bool = flag()
    fail_fast: bool = flag()
    matmul_precision: str = choice(*MATMUL_PRECISIONS)
    precision: str = choice(*PRECISIONS)
    threads: int | None = whole(1, optional=True)  # None: cores / runs under way
