"""The stand-in for the W&B server, with what the tests ask for beside it.

python standin.py PATH_OF_THE_STANDIN PORT LOG
"""

import importlib.util
import sys

KEY = "0123456789" * 4  # any key will do


def load(path: str):
    """The stand-in as a module that also keeps who asked to be handed out again, and artifacts."""
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
    standin.ROOT.update(artifacts(standin))
    return standin


def artifacts(standin) -> dict:
    """The mutations by which a client logs an artifact; its files are `artifacts/NAME/FILE`."""
    names = {}

    def upload(artifact: str, name: str) -> dict:
        address = f"{standin.BASE}/storage/artifacts/{names[artifact]}/files/{name}"
        return {"id": name, "uploadUrl": address, "uploadHeaders": []}

    def create(input):
        artifact = str(len(names))
        names[artifact] = input["artifactCollectionName"]
        sequence = {"id": artifact, "latestArtifact": None}
        return {"artifact": {"id": artifact, "state": "PENDING", "artifactSequence": sequence}}

    def manifest(input):
        artifact = input.get("artifactID") or input["artifactManifestID"]
        return {"artifactManifest": {"id": artifact, "file": upload(artifact, "manifest.json")}}

    def files(input):
        wanted = input["artifactFiles"]
        nodes = [
            {**upload(file["artifactID"], file["name"]), "artifact": {"id": file["artifactID"]}}
            for file in wanted
        ]
        return {"files": {"edges": [{"node": node} for node in nodes]}}

    return {
        "createArtifact": create,
        "createArtifactManifest": manifest,
        "updateArtifactManifest": manifest,
        "createArtifactFiles": files,
        "commitArtifact": lambda input: {"artifact": {"id": input["artifactID"]}},
    }


if __name__ == "__main__":
    path, port, log = sys.argv[1:]
    load(path).serve(int(port), log).serve_forever()
