"""Options of one's own: `conf/` of the folder where a command is given, beside the program's."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class OwnOptions(SearchPathPlugin):
    """Adds `conf/` of the working directory, which is searched last: it replaces no option."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if (own := Path("conf").absolute()).is_dir():
            search_path.append("own", f"file://{own}")
