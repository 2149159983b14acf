"""From a command line to its configuration, and what is wrong with one, in one line."""

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from agent.config import CLOSE, GROUPS, make, shown, unknown
from agent.errors import UserError, collect

CONF = Path(__file__).parents[2] / "conf"
NAME = "--config-name="
FOLDERS = ["conf"]  # with options of a user's own; a command may add others
OmegaConf.register_new_resolver("product", lambda *of: math.prod(+one for one in of), replace=True)
OmegaConf.register_new_resolver(  # the group `run` as conf/config.yaml has it, with its comments
    "settings",
    lambda: (CONF / "config.yaml").read_text().partition("\nrun:\n")[2].partition("\n\n")[0],
    replace=True,
)
NUMBER = re.compile(r"[a-z]\w*(?:\.\w+)+=(?:0|[1-9]\d*)(?:\.\d+)?(?:e-\d+)?")
NO_SUCH_KEY = re.compile(r"Could not (?:override|delete from config\.) '([^']*)'")


@cache
def composed(overrides: tuple[str, ...]) -> tuple[DictConfig, dict[str, str | None]]:
    """The configuration of a command line and the option chosen in each group, not to be changed;
    UserError where it does not compose.

    An option that sets nothing else, and a number, are set without Hydra, in a tenth of the time.
    """
    numbers = [given for given in overrides if NUMBER.fullmatch(given)]
    keys = [given.lstrip("+~").partition("=")[0] for given in overrides]
    again = any(sum("." in key and own.startswith(key) for key in keys) > 1 for own in numbers)
    if again or (numbers and "={" in str(overrides)):
        return _by_hydra(overrides)  # the last of several values counts
    others = [given for given in overrides if given not in numbers]
    groups = Counter(re.split(r"[.=]", given.lstrip("+~"))[0] for given in others)
    options = [given for given in others if groups[given.partition("=")[0]] == 1 and _option(given)]
    if not (numbers or options):
        return _by_hydra(overrides)
    cfg, choices = deepcopy(composed(tuple(given for given in others if given not in options)))
    for override in options:
        group, _, option = override.partition("=")
        replaced = _option(f"{group}={choices.get(group)}")
        if replaced is None or leaves(cfg[group], False) != leaves(replaced, False):
            return _by_hydra(overrides)  # something else has set values of this group
        cfg[group], choices[group] = _option(override), option
    for override in numbers:
        key, _, number = override.partition("=")
        if not isinstance(OmegaConf.select(cfg, key, default=""), int | float | None):
            return _by_hydra(overrides)  # of Hydra's own part, or an error that it words
        OmegaConf.update(cfg, key, int(number) if number.isdecimal() else float(number))
    return cfg, choices


@cache
def _option(override: str) -> DictConfig | None:
    """The values of an option that chooses no other and sets no other; None for anything else."""
    group, _, option = override.partition("=")
    path = f"{group}/{option}" if group.isidentifier() else ""
    hydra: Any = GlobalHydra.instance()
    found = hydra.config_loader().repository.load_config(path)
    is_alone = found and not (found.defaults_list or found.header["package"])
    return found.config if is_alone else None


def _by_hydra(overrides: tuple[str, ...]) -> tuple[DictConfig, dict[str, str | None]]:
    cfg = whole(overrides)
    choices = dict(cfg.hydra.runtime.choices)
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    return cfg, choices


def whole(overrides: Iterable[str]) -> DictConfig:
    """The configuration of a command line with Hydra's own part; UserError as of `composed`."""
    names = [given.removeprefix(NAME) for given in overrides if given.startswith(NAME)]
    rest = [given for given in overrides if not given.startswith("--")]
    try:
        return compose(names[-1] if names else "config", rest, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise UserError(explained(error, rest)) from error


@contextmanager
def project_config() -> Iterator[None]:
    """Let Hydra find conf/; a name that is not there is a UserError with what is."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        OmegaConf.register_new_resolver("now", datetime.now().strftime, replace=True)
        try:
            yield
        except HydraException as error:
            raise UserError(explained(error)) from error


def explained(error: Exception, overrides: Iterable[str] = ()) -> str:
    """What an error about a command line means: what was given, what is allowed."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return _no_such_option(group, option)
    if isinstance(error, OverrideParseException):
        if "LexerNoViableAlt" in str(error):  # the grammar has no such letter
            return f"{error.override}: quote the value, \"key='value'\"; $HOME stands for ~"
        return f"{error.override}: {_first_line(error)}; allowed: key=value, of Hydra's grammar"
    if found := NO_SUCH_KEY.match(str(error)):
        return _no_such_key(found[1])
    if "Config group override must be" in str(error):
        for override in overrides:
            group, _, option = override.partition("=")
            if (options := options_of(group)) and option not in options:
                return _no_such_option(group, option)
    if "Ambiguous value" in str(error):
        return f"{_first_line(error)}: several values need -m; one list is written key=[a,b]"
    return _first_line(error)


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """The values of a configuration; UserError where an interpolation leads nowhere."""
    try:
        return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    except OmegaConfBaseException as error:
        raise UserError(explained(error)) from error


def sections(cfg: DictConfig) -> dict[str, Any]:
    """The checked objects of the groups without options; UserError names all that is wrong."""
    return collect({group: partial(section, cfg, group) for group in GROUPS})


def section(cfg: DictConfig, group: str) -> Any:
    """The checked object of a group that holds no options; UserError for wrong values or keys."""
    return make(group, GROUPS[group], table(cfg, group))


def table(cfg: DictConfig, group: str) -> dict[str, Any]:
    """The values of a group; UserError for what is no table."""
    node = cfg.get(group)
    if not isinstance(node, DictConfig):
        raise UserError(f"{group}={shown(node)} must be a table of keys and values")
    return resolved(node)


def options_of(group: str) -> list[str]:
    """The options of a group of the configuration; none where there is no such group."""
    return GlobalHydra.instance().config_loader().get_group_options(group)


def leaves(cfg: DictConfig, resolve: bool) -> dict[str, Any]:
    """Values by dotted key; a list is one value, an empty table is none."""
    return dict(_leaves(OmegaConf.to_container(cfg, resolve=resolve)))


def _no_such_option(group: str, option: str) -> str:
    key = f"{group}=" if group else NAME
    return unknown(f"{key}{option}", [f"{key}{other}" for other in options_of(group)])


def _no_such_key(key: str) -> str:
    cfg, choices = composed(())
    known = [*leaves(cfg, resolve=False), *choices]
    if key in known:
        return f"{key}: the chosen options have no such number"
    near = difflib.get_close_matches(key, known, n=1, cutoff=CLOSE)
    near += [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
    return unknown(key, near[:1] or [*choices, "run"])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _leaves(value: Any, *names: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield ".".join(map(str, names)), value
        return
    for name, inner in value.items():
        yield from _leaves(inner, *names, name)
