"""Write `conf/task/GAME.yaml` for the games of `conf/suite/atari.yaml`: `python -m
agent.envs.atari_tasks`."""

from pathlib import Path

from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"
ROMS = {"james_bond": "jamesbond"}  # where ale-py spells a game otherwise


def games() -> list[str]:
    """The paper's games, named as in its published score files."""
    return list(OmegaConf.load(CONF / "suite" / "atari.yaml").suite.tasks)


def render(game: str) -> str:
    """The text of a game's YAML."""
    return (
        "# @package _global_\n"
        "# Written by `python -m agent.envs.atari_tasks`.\n"
        "defaults: [base/atari]\n"
        f"task: {{name: {game}, env: {{game: {ROMS.get(game, game)}}}}}\n"
    )


def main() -> None:
    for game in games():
        (CONF / "task" / f"{game}.yaml").write_text(render(game))
    print(f"{len(games())} games written to {CONF / 'task'}")


if __name__ == "__main__":
    main()
