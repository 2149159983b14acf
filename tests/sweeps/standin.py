"""The stand-in for the W&B server, with what the tests ask for beside it.

python standin.py PATH_OF_THE_STANDIN PORT LOG
"""

import importlib.util
import sys


def load(path: str):
    """The stand-in as a module, which remembers the runs that asked to be handed out again."""
    spec = importlib.util.spec_from_file_location("wandb_standin", path)
    standin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(standin)
    stream = standin.stream

    def remembering(entity, project, run, body):
        answer = stream(entity, project, run, body)
        if body.get("preempting"):
            standin.S.run(entity, project, run)["preempting"] = True
        return answer

    standin.stream = remembering
    return standin


if __name__ == "__main__":
    path, port, log = sys.argv[1:]
    load(path).serve(int(port), log).serve_forever()
