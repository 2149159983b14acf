"""The claims file: the project's own, and what is refused."""

import re

import pytest

from analysis import InputError, claims, score
from analysis.claims import options

ROW = "{id: a, paper: helps, with: baseline, without: x=y, where: discrete}"
MARGIN = "margin: {mini: 0.1}\n"
TRIAL = {
    "seed": "1",
    "rounds": "[4, 8]",
    "shares": "[0.5, 0.5]",
    "weights": "{a: {x: 1, y: 1}, b: {x: 1, y: 1}}",
}


def written(rows=ROW, more=""):
    return f"{MARGIN}{more}claims: [{rows}]"


def trial(**changes):
    entry = ", ".join(f"{key}: {value}" for key, value in (TRIAL | changes).items())
    return written(more=f"trial: {{{entry}}}\n")


def row(**changes):
    given = dict(id="a", paper="helps", without="x=y", where="discrete") | changes
    return written("{with: baseline, " + ", ".join(f"{k}: {v}" for k, v in given.items()) + "}")


@pytest.fixture
def load(tmp_path):
    def loaded(text):
        (tmp_path / "claims.yaml").write_text(text)
        return claims.load(tmp_path / "claims.yaml")

    return loaded


def test_the_projects_claims_are_fourteen_rows_for_every_suite():
    loaded = claims.load()
    rows = {row.id: row for row in loaded.claims}
    assert len(rows) == 14 and sum(row.paper == "helps" for row in rows.values()) == 8
    assert [row.id for row in loaded.claims if row.paper == "worse"] == ["binary_latents"]
    assert [id for id in rows if rows[id].where == "continuous"] == ["dynamics_backprop"]
    assert rows["model_size"].arms("atari") == ("baseline", "size=13m")
    for suite in ("mini", "a_suite_of_mine"):
        assert rows["model_size"].arms(suite) == ("baseline", "size=tiny")
        assert len(loaded.family(suite)) == 14
    assert sorted(row.where for row in loaded.controls) == ["continuous", "discrete"]
    assert {row.with_ for row in loaded.controls} == {"recipe.model_lr=0"}
    assert loaded.window("atari") == score.LAST_BIN and loaded.window("mine") == score.LAST
    assert (loaded.margin_of("atari"), loaded.margin_of("mine")) == (0.03, 0.1)
    sides = [side for row in loaded.claims for side in row.sides("mini")]
    assert frozenset().union(*sides) <= loaded.trial.drawn


def test_a_file_of_ones_own_may_leave_out_all_but_margin_and_claims(load):
    loaded = load(written())
    assert loaded.window("mini") == "last" and loaded.controls == () and loaded.trial is None
    assert re.fullmatch("[0-9a-f]{8}", loaded.digest)
    with pytest.raises(InputError, match="suite gym: the claims give no margin for it, they do fo"):
        loaded.margin_of("gym")


def test_a_claim_is_for_the_suites_that_it_names(load):
    loaded = load(row(without="{mini: x=y, gym: x=z}")).claims[0]
    assert loaded.arms("gym") == ("baseline", "x=z") and loaded.arms("atari") is None


def test_an_arms_name_is_its_options():
    several = {"+a.b=[1,2]", "~c", "gru=plain", "recipe.learning_rates=0.5"}
    assert options("+a.b=[1,2],~c,gru=plain,recipe.learning_rates=0.5") == several
    assert options("baseline") == set() and options("latent=gaussian") == {"latent=gaussian"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "Input should be a valid dictionary"),
        (MARGIN, "claims: Field required"),
        (f"{MARGIN}claims: []", "claims: Tuple should have at least 1 item"),
        (written(more="extra: 1\n"), "extra: Extra inputs are not permitted; got 1"),
        (written(more="score: {mini: best}\n"), "score mini: Input should be 'last', 'last_bin'"),
        (written(more="date: yesterday\n"), "date: Input should be a valid date"),
        (written().replace("0.1", "2"), "margin mini: Input should be less than 1; got 2"),
        (written().replace("mini", "../x"), "margin ../x: this is a suite's name"),
        (row(paper="[helps]"), "claims 1 paper: Input should be 'helps', 'no_help', 'worse' or"),
        (row(where="all"), "claims 1 where: Input should be 'discrete' or 'continuous'; got all"),
        (row(without=3), "claims 1 without: Input should be a valid string; got 3"),
        (row(without="baseline"), "claims 1: with and without are both baseline"),
        *((row(id=name), "claims 1 id: this is a name of letters") for name in ("../a", "a b")),
        (written(f"{ROW}, {ROW}"), "two rows have the id a"),
        (trial(rounds="[8, 8]"), "trial: rounds must rise; got [8, 8]"),
        (trial(rounds="[0]"), "trial rounds 1: Input should be greater than or equal to 1; got 0"),
        (trial(shares="[1]"), "trial: shares are one number for each of the 2 rounds and sum to 1"),
        (trial(shares="[0.5, 0.4]"), "and sum to 1; got [0.5, 0.4]"),
        (trial(weights="{a: {x: 0}}"), "trial weights a x: Input should be greater than or equal"),
        (trial(needs="{c: {a: x}, d: {a: x}}"), "trial: needs has c, which has no weights"),
        (trial(needs="{a: {b: x}}"), "trial: a needs b, which is not listed before it"),
        (trial(needs="{b: {a: z}}"), "trial: b needs a=z, which is not among the options of a"),
    ],
)
def test_a_bad_claims_file_is_refused_in_one_line(load, text, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        load(text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500
