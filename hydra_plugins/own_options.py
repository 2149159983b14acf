"""Options of one's own: in `conf/` of the folder where a command is given, or where it says."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from agent.run.compose import FOLDERS


class OwnOptions(SearchPathPlugin):
    """Adds folders, which are searched last: they replace no option of the program's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in FOLDERS:
            if "://" in folder:
                search_path.append("own", folder)
            elif (own := Path(folder).absolute()).is_dir():
                search_path.append("own", f"file://{own}")
