"""The claims file: the project's own, and what is refused."""

import re

import pytest

from analysis import InputError, claims


def test_the_projects_claims_are_the_fourteen_rows():
    loaded = claims.load()
    assert len(loaded.rows) == 14
    assert sum(row.paper == "helps" for row in loaded.rows) == 8
    assert [row.id for row in loaded.rows if row.where == "continuous"] == ["dynamics_backprop"]
    size = next(row for row in loaded.rows if row.id == "model_size")
    assert size.arms("atari") == ("baseline", "size=13m") and size.arms("mini") == (
        "baseline",
        "size=tiny",
    )
    assert all(row.arms(suite) for row in loaded.rows for suite in loaded.margin)


ROW = "{id: a, paper: helps, with: baseline, without: x=y, where: discrete}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims: []", "exactly two keys, margin and claims"),
        ("margin: {mini: 0}\nclaims: []", "margin gives a positive number for each suite"),
        ("margin: {mini: 0.1}\nclaims: []", "claims is a list of rows"),
        (f"margin: {{mini: 0.1}}\nclaims: [{ROW}, {ROW}]", "two claims have the id a"),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW[:-1]}, extra: 1}}]",
            "claim 1: needs exactly the keys",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('helps', 'maybe')}]",
            "paper is 'maybe'; allowed: helps, no_help, none",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('discrete', 'all')}]",
            "where is 'all'; allowed: discrete",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('x=y', '3')}]",
            "without is an arm name, or one by suite; got 3",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('x=y', 'baseline')}]",
            "with and without are both baseline",
        ),
        ("margin: [", "not valid YAML"),
    ],
)
def test_a_bad_claims_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        claims.load(path)
    assert "\n" not in str(error.value)


def test_an_absent_claims_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.yaml: cannot read the claims"):
        claims.load(tmp_path / "none.yaml")
