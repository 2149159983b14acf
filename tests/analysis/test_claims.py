"""The claims file: the project's own, and what is refused."""

import re
import time

import pytest
import yaml

from analysis import InputError, claims, score

ROW = "{id: a, paper: helps, with: baseline, without: x=y, where: discrete}"
MARGIN = "margin: {mini: 0.1}\n"
KEYS = "id, paper, with, without, where"


LADDER = {"rounds": "[2, 4]", "shares": "[0.5, 0.5]", "baseline": "2", "ratios": "{cartpole: 1.0}"}


def ladder(suite="mini", **changes):
    entry = ", ".join(f"{key}: {value}" for key, value in (LADDER | changes).items())
    return f"ladder: {{{suite}: {{{entry}}}}}\n"


def written(rows, more=""):
    return f"{MARGIN}{more}claims: [{rows}]"


def test_the_projects_claims_are_the_fourteen_rows():
    loaded = claims.load()
    assert len(loaded.claims) == 14
    assert sum(row.paper == "helps" for row in loaded.claims) == 8
    assert [row.id for row in loaded.claims if row.paper == "worse"] == ["binary_latents"]
    continuous = [row.id for row in loaded.claims if row.where == "continuous"]
    assert continuous == ["dynamics_backprop"]
    size = next(row for row in loaded.claims if row.id == "model_size")
    assert size.arms("atari") == ("baseline", "size=13m")
    assert size.arms("mini") == ("baseline", "size=tiny")
    assert all(row.arms(suite) for row in loaded.rows for suite in loaded.margin)
    assert {loaded.family(suite) for suite in loaded.margin} == {14}


def test_the_projects_controls_are_registered_for_both_kinds_of_actions():
    loaded = claims.load()
    broken = [row for row in loaded.controls if row.with_ != row.without]
    same = [row for row in loaded.controls if row.with_ == row.without]
    for rows in (broken, same):
        assert sorted(row.where for row in rows) == ["continuous", "discrete"]
        assert {row.without for row in rows} == {"baseline"}
    assert {row.with_ for row in broken} == {"recipe.model_lr=0"}
    assert loaded.rows == (*loaded.claims, *loaded.controls)


def test_every_suite_of_the_project_has_a_registered_score():
    loaded = claims.load()
    assert set(loaded.score) == set(loaded.margin)
    assert loaded.window("atari") == loaded.window("atari5") == score.LAST_BIN


def test_a_file_of_ones_own_may_leave_out_scores_and_controls(tmp_path):
    (tmp_path / "mine.yaml").write_text(written(ROW))
    loaded = claims.load(tmp_path / "mine.yaml")
    assert loaded.controls == () and loaded.window("mini") == score.LAST
    (tmp_path / "mine.yaml").write_text(written(ROW, "score: {mini: area}\n"))
    again = claims.load(tmp_path / "mine.yaml")
    assert again.window("mini") == score.AREA and again.digest != loaded.digest


def test_the_ladder_of_mini_is_of_its_tasks():
    registered = claims.load().climbed("mini")
    suite = yaml.safe_load((claims.DEFAULT.parents[1] / "conf/suite/mini.yaml").read_text())
    assert list(registered.ratios) == suite["suite"]["tasks"]


def test_a_ladder_tells_the_seeds_of_a_round(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        written(ROW, ladder(ratios="{a: 1.0, b: 1.5}") + "date: 2026-11-30\n")
    )
    loaded = claims.load(tmp_path / "mine.yaml")
    registered = loaded.climbed("mini")
    assert [registered.seeds(2, *cell) for cell in (("a", "x=y"), ("b", "x=y"))] == [4, 6]
    assert registered.seeds(1, "b", "baseline") == 6 and loaded.date == "2026-11-30"
    with pytest.raises(InputError, match="no ladder is registered for suite 'gym'; .*: mini"):
        loaded.climbed("gym")


def test_a_claim_that_names_no_arm_for_a_suite_is_not_in_its_family(tmp_path):
    other = ROW.replace("id: a", "id: b").replace("x=y", "{atari: x=y}")
    (tmp_path / "mine.yaml").write_text(written(f"{ROW}, {other}"))
    loaded = claims.load(tmp_path / "mine.yaml")
    assert (loaded.family("mini"), loaded.family("atari")) == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims: []", "has the keys margin and claims, and may have score, controls, ladder, d"),
        (
            f"{MARGIN}claim: []",
            "has the keys margin and claims, and may have score, controls, ladder, d",
        ),
        ("[1]", "has the keys margin and claims"),
        ("margin: {mini: 0}\nclaims: []", "margin gives a number between 0 and 1 for each suite"),
        ("margin: {mini: .inf}\nclaims: []", "as in {mini: 0.10}; got {'mini': inf}"),
        ("margin: {mini: .nan}\nclaims: []", "as in {mini: 0.10}; got {'mini': nan}"),
        ("margin: {mini: true}\nclaims: []", "as in {mini: 0.10}; got {'mini': True}"),
        ("margin: {1: 0.1}\nclaims: []", "as in {mini: 0.10}; got {1: 0.1}"),
        ("margin: {../x: 0.1}\nclaims: []", "as in {mini: 0.10}; got {'../x': 0.1}"),
        (f"{MARGIN}claims: []", f"claims is a list of rows with {KEYS}"),
        (written(ROW, "score: {mini: best}\n"), "score gives one of last, last_bin, last_tenth, a"),
        (written(ROW, "score: {mini: [last]}\n"), "score gives one of last, last_bin, last_tenth"),
        (written(ROW, "controls: []\n"), "controls is a list of rows with id, with, without, wher"),
        (written(ROW, f"controls: [{ROW}]\n"), "control 1: needs exactly the keys id, with, with"),
        (written(f"{ROW}, {ROW}"), "two rows have the id a"),
        (written(f"{ROW[:-1]}, extra: 1}}"), f"claim 1: needs exactly the keys {KEYS}; got"),
        (written("3"), f"claim 1: needs exactly the keys {KEYS}; got 3"),
        (
            written(ROW.replace("helps", "maybe")),
            "claim 1 (a): paper is 'maybe'; allowed: helps, no_help, worse, none",
        ),
        (written(ROW.replace("helps", "[helps]")), "claim 1 (a): paper is '['helps']'; allowed"),
        (written(ROW.replace("discrete", "all")), "where is 'all'; allowed: discrete"),
        (written(ROW.replace("x=y", "3")), "without is an arm name, or one by suite; got 3"),
        (written(ROW.replace("x=y", '"x\\ty"')), "without is an arm name, or one by suite; got x"),
        (written(ROW.replace("x=y", "baseline")), "with and without are both baseline"),
        (
            written(ROW.replace("x=y", "{mini: baseline, atari: b}")),
            "with and without are both baseline",
        ),
        *(
            (written(ROW.replace("id: a", f'id: "{name}"')), f"_ and -; got {name}")
            for name in ("[/red]", "$HOME", "../a", "a b", "a/b", "é")
        ),
        (written(ROW.replace("id: a", "id: 2020-01-01")), "id is a name of letters, digits"),
        *(
            (written(ROW, more), message)
            for more, message in (
                ("ladder: [1]\n", "ladder gives rounds, shares, baseline, ratios for each suite"),
                (ladder("gym"), "ladder of gym: the file gives no margin for this suite"),
                ("ladder: {mini: {rounds: [2]}}\n", "needs exactly the keys rounds, shares, base"),
                (ladder(rounds="[4, 2]"), "each larger than the one before; got [4, 2]"),
                (ladder(rounds="[4, 4]"), "each larger than the one before; got [4, 4]"),
                (ladder(rounds="[1, 4]"), "rounds are whole numbers of seeds from 2 up"),
                (ladder(rounds="[2.5, 4]"), "rounds are whole numbers of seeds from 2 up"),
                (ladder(rounds="[]"), "rounds are whole numbers of seeds from 2 up"),
                (ladder(shares="[1.0]"), "one for each of the 2 rounds; got [1.0]"),
                (ladder(shares="[0.5, 0.4]"), "sum to 1, one for each of the 2 rounds; got"),
                (ladder(shares="[1.5, -0.5]"), "shares are positive numbers that sum to 1"),
                (ladder(shares="[1, true]"), "shares are positive numbers that sum to 1"),
                (ladder(baseline="0"), "baseline is a whole number of at least 1; got 0"),
                (ladder(baseline="1.5"), "baseline is a whole number of at least 1; got 1.5"),
                (ladder(ratios="{cartpole: 0.4}"), "ratios give a number from 0.5 to 2 for each"),
                (ladder(ratios="{cartpole: .nan}"), "ratios give a number from 0.5 to 2 for each"),
                (ladder(ratios="{}"), "ratios give a number from 0.5 to 2 for each task; got {}"),
                (ladder(ratios="{a: 0.5}"), "round 1 has 1 seeds on a; at least 2 are needed"),
                ("date: yesterday\n", "date is a day, as in 2026-11-30; got yesterday"),
                ("date: 2026-11-30 10:00:00\n", "date is a day, as in 2026-11-30; got 2026-11-30"),
            )
        ),
        ("margin: [", "not valid YAML"),
        ("a: &b 1\nc: *b", "anchors and aliases (& and *) are not allowed here"),
        ("[" * 50_000, "nested more than 20 levels deep"),
        ("x" * 300_000, "a claims file has at most 100000 bytes"),
    ],
)
def test_a_bad_claims_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        claims.load(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_yaml_bomb_is_refused_quickly(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    start = time.monotonic()
    with pytest.raises(InputError, match="anchors and aliases"):
        claims.load(tmp_path / "bomb.yaml")
    assert time.monotonic() - start < 1


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "claims.yaml").write_bytes(b"margin: \xff")
    with pytest.raises(InputError, match=r"claims.yaml: not UTF-8 text \(byte 9\)"):
        claims.load(tmp_path / "claims.yaml")


def test_an_absent_claims_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.yaml: cannot read the claims"):
        claims.load(tmp_path / "none.yaml")
