"""Options of one's own: in `conf/` of the folder where a command is given, or where it says."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError
from yaml import YAMLError

from agent.errors import UserError
from agent.run.compose import FOLDERS, NAME

SEARCHED = "hydra.searchpath="


class OwnOptions(SearchPathPlugin):
    """Adds folders, which are searched last: they replace no option of the program's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in FOLDERS:
            if "://" in folder:
                search_path.append("own", folder)
            elif (own := Path(folder).absolute()).is_dir():
                search_path.append("own", f"file://{own}")


def parsed(
    parser: ArgumentParser, arguments: Sequence[str] | None = None
) -> tuple[Namespace, list[str]]:
    """What a command with overrides is given, and the flags that are none of its own. Its overrides
    begin with the flags of a user's own configuration, for composing and for the runs' processes;
    UserError for a folder that is not there."""
    parser.add_argument("overrides", nargs="*", help="as for run.py")
    own = parser.add_argument
    own("--config-dir", "-cd", action="append", default=[], help="a folder with your own options")
    own("--config-name", "-cn", help="your own file in place of config.yaml")
    given, others = parser.parse_known_intermixed_args(arguments)
    searched = [override for override in given.overrides if override.startswith(SEARCHED)]
    folders = [*given.config_dir, *(_paths(searched[-1]) if searched else ())]
    if absent := [one for one in folders if "://" not in one and not Path(one).is_dir()]:
        raise UserError(f"--config-dir={absent[0]}: there is no such folder")
    FOLDERS.extend(folders)
    flags = [f"{NAME}{given.config_name}"] if given.config_name else []
    flags += [f"--config-dir={folder}" for folder in folders]
    given.overrides = [*flags, *(one for one in given.overrides if one not in searched)]
    return given, others


def _paths(searched: str) -> list[str]:
    try:
        paths = OmegaConf.select(OmegaConf.from_dotlist([searched]), SEARCHED[:-1])
        return TypeAdapter(list[str]).validate_python(
            [paths] if isinstance(paths, str) else [*paths]
        )
    except (YAMLError, OmegaConfBaseException, TypeError, ValidationError) as error:
        raise UserError(f"{searched}: allowed: {SEARCHED}[FOLDER,...]") from error
