"""Write `conf/task/GAME.yaml` for the paper's 55 games: `python -m agent.envs.atari_tasks`."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "conf" / "task"

# The 55 games of the paper's Table K.1, named as in its published score files.
GAMES = """
alien amidar assault asterix asteroids atlantis bank_heist battle_zone beam_rider berzerk bowling boxing breakout
centipede chopper_command crazy_climber demon_attack double_dunk enduro fishing_derby freeway frostbite gopher gravitar
hero ice_hockey james_bond kangaroo krull kung_fu_master montezuma_revenge ms_pacman name_this_game phoenix pitfall pong
private_eye qbert riverraid road_runner robotank seaquest skiing solaris space_invaders star_gunner tennis time_pilot
tutankham up_n_down venture video_pinball wizard_of_wor yars_revenge zaxxon
""".split()
ROMS = {"james_bond": "jamesbond"}  # where ale-py spells a game otherwise


def render(game: str) -> str:
    """The text of a game's YAML."""
    return (
        "# @package _global_\n"
        "# Written by `python -m agent.envs.atari_tasks`.\n"
        "defaults: [base/atari]\n"
        f"task: {{name: {game}, env: {{game: {ROMS.get(game, game)}}}}}\n"
    )


def main() -> None:
    for game in GAMES:
        (FOLDER / f"{game}.yaml").write_text(render(game))
    print(f"{len(GAMES)} games written to {FOLDER}")


if __name__ == "__main__":
    main()
