"""The paper's printed numbers, from the official score files."""

import json

import pytest

from analysis import InputError, paper

TABLE_1 = {
    "DreamerV2": (2.15, 11.33, 0.44, 0.28),
    "DreamerV2 (schedules)": (2.64, 10.45, 0.43, 0.28),
    "IQN": (1.29, 8.85, 0.21, 0.21),
    "Rainbow": (1.47, 9.12, 0.17, 0.17),
    "C51": (1.09, 7.70, 0.15, 0.15),
    "DQN": (0.65, 2.84, 0.12, 0.12),
}
K1 = """alien 3967 amidar 2577 assault 23625 asterix 72311 asteroids 41526 atlantis 978778
bank_heist 1126 battle_zone 40325 beam_rider 18646 berzerk 810 bowling 49 boxing 92 breakout 312
centipede 11883 chopper_command 2861 crazy_climber 161839 demon_attack 82263 double_dunk 17
enduro 1656 fishing_derby 65 freeway 33 frostbite 11384 gopher 92282 gravitar 3789 hero 21868
ice_hockey 26 james_bond 40445 kangaroo 14064 krull 50061 kung_fu_master 62741
montezuma_revenge 81 ms_pacman 5652 name_this_game 14649 phoenix 49375 pitfall 0 pong 20
private_eye 2198 qbert 94688 riverraid 16351 road_runner 203576 robotank 78 seaquest 7480
skiing -9299 solaris 922 space_invaders 2474 star_gunner 7800 tennis 14 time_pilot 37945
tutankham 264 up_n_down 653662 venture 2 video_pinball 41860 wizard_of_wor 12851
yars_revenge 156748 zaxxon 50699"""


@pytest.fixture(scope="module")
def store(published_folder):
    return paper.load(str(published_folder))


def test_table_1_reproduces_in_24_of_24_cells(store):
    ours = paper.table_1(store)
    cells = ours.loc[list(TABLE_1)].iloc[:, :4].round(2)
    assert {agent: tuple(row) for agent, row in cells.iterrows()} == TABLE_1
    assert list(ours.loc["DreamerV2", ["seeds", "games"]]) == [8, 55]


def test_table_k1_reproduces_on_55_games(store):
    words = K1.split()
    printed = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    assert paper.table_k1(store)["DreamerV2"].round().to_dict() == printed and len(printed) == 55


def test_early_ended_runs_are_counted_and_matter(store):
    early = paper.early_ended(store)
    counts = {paper.DREAMER: 20, paper.SCHEDULED: 26, paper.NO_SCHEDULES: 10}
    assert early.arm.value_counts().to_dict() == counts
    breakout = early[(early.arm == paper.DREAMER) & (early.task == "breakout")]
    assert (breakout.million_frames == 2).sum() == 3
    complete = paper.table_1(paper.complete(store)).loc[paper.DREAMER].iloc[:4]
    assert [round(value, 2) for value in complete] == [2.15, 11.58, 0.44, 0.28]
    assert paper.table_k1(paper.complete(store))[paper.DREAMER]["breakout"] > 450  # printed: 312


def test_scheduling_gives_no_substantial_help_and_the_runs_can_show_an_effect(store):
    scheduling = paper.scheduling(store)
    assert set(scheduling.words) == {"no substantial help"} and len(scheduling) == 6
    claim = scheduling.iloc[0]
    assert (claim.with_, claim.without) == (220, 440)
    assert claim.effect == pytest.approx(0.0035, abs=0.0001)
    assert claim.low < 0 < claim.high < paper.MARGIN
    assert set(scheduling.early_words) == {"hurts"} and (scheduling.early_effect < -0.08).all()
    counts = paper.scheduling_games(store).result.value_counts()
    assert counts.to_dict() == {"tied": 22, "worse": 18, "better": 15}


def test_the_files_may_lie_behind_a_url(published_folder, tmp_path):
    store = paper.load(f"{published_folder.resolve().as_uri()}/")
    assert (store.runs.arm == paper.DREAMER).sum() == 440
    for source in (str(tmp_path), tmp_path.as_uri()):
        with pytest.raises(InputError, match="atari-dreamerv2.json"):
            paper.load(source)


def curves(**changes):
    """A run of every game; `changes` go into that of Pong."""
    own = {"method": "dreamerv2", "seed": "0", "xs": [1, 2], "ys": [3, 4]}
    runs = [{"task": game, **own} for game in paper.GAMES]
    runs[paper.GAMES.index("atari_pong")] |= changes
    return json.dumps(runs)


def baselines(**changes):
    scores = {game: dict.fromkeys(paper.PUBLISHED_BASELINES, 1) for game in paper.GAMES}
    scores["atari_pong"] |= changes
    return json.dumps(scores)


@pytest.fixture
def folder(tmp_path):
    """The three files with one run of every game."""
    for name in (paper.MAIN, paper.SCHEDULES):
        (tmp_path / name).write_text(curves())
    (tmp_path / paper.BASELINES).write_text(baselines())
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (paper.MAIN, b"[\xff]", "utf-8"),
        (paper.MAIN, "{}", "Input should be a valid list"),
        (paper.MAIN, "[]", "at least 1 item"),
        (paper.MAIN, '[{"a": 1}]', "1 task: Field required"),
        (paper.SCHEDULES, f"{curves()[:-1]}, 3]", "56: Input should be a valid dictionary"),
        (paper.SCHEDULES, curves(ys=[3, True]), "36 ys 2: Input should be a valid number"),
        (paper.SCHEDULES, curves(ys=[3]), "36: xs has 2 numbers and ys 1"),
        (paper.MAIN, curves(ys=[3, float("nan")]), "finite number; got nan"),
        (paper.MAIN, curves().replace("4", "1e999"), "1 ys 2: Input should be a finite"),
        (paper.MAIN, curves(method="x"), "unknown method 'x'"),
        (paper.MAIN, curves(method=["x"]), "36 method: Input should be a valid string"),
        (paper.SCHEDULES, curves(method="nosched"), "'nosched'; allowed: dreamerv2$"),
        (paper.MAIN, curves(task="atari_pongg"), "missing or unknown game atari_pong, atari_pongg"),
        (paper.MAIN, curves(task="atari_alien"), "has the run dreamerv2 atari_alien 0 twice"),
        (paper.MAIN, curves(seed=True), "36 seed: Input should be a valid string"),
        (paper.BASELINES, "{}", "at least 1 item"),
        (paper.BASELINES, "[1]", "1: Input should be a valid dictionary"),
        (paper.BASELINES, '{"atari_alien": {"iqn_sticky_2e8": 1}}', "valid number"),
        (paper.BASELINES, baselines(dqn_sticky_2e8=True), "ys 1: Input should be a valid"),
    ],
)
def test_a_wrong_file_is_named_with_what_it_lacks(folder, name, text, message):
    assert len(paper.load(str(folder)).runs) == 55 * 6
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=f"{name}.*{message}") as error:
        paper.load(str(folder))
    assert "\n" not in str(error.value)
