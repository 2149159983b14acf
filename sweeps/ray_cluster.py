"""A Ray cluster, each job a task that is collected by itself."""

import os
from collections.abc import Iterator, Sequence

from agent.errors import UserError
from sweeps.job import Engine, Job, Outcome

HERE = {
    "address": "local",
    "_node_ip_address": "127.0.0.1",  # nobody else is to reach a Ray that runs for this sweep alone
    "include_dashboard": False,
    "object_store_memory": 80 * 2**20,  # jobs and outcomes are small
}


class Ray(Engine):
    """Jobs as tasks of a cluster; conf/hydra/launcher/ray_cluster.yaml says what each option is."""

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float, max_retries: int):
        self.address = address
        self.needs = {"CPU": num_cpus, "GPU": num_gpus}
        self.options = {"num_cpus": num_cpus, "num_gpus": num_gpus, "max_retries": max_retries}

    def places(self) -> int:
        self.check()
        import ray

        has = ray.cluster_resources()
        return max(1, min(int(has.get(key, 0) / each) for key, each in self.needs.items() if each))

    def check(self) -> None:
        """UserError where Ray is missing, does not answer, or has no node that takes a job."""
        try:
            import ray
        except ModuleNotFoundError:
            raise UserError("hydra/launcher=ray_cluster needs Ray: pip install '.[ray]'") from None
        if not ray.is_initialized():
            given = {"address": self.address} if self.address else HERE
            try:
                ray.init(**given, configure_logging=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise UserError(f"hydra.launcher.address={self.address}: {error}") from None
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for key, wanted in self.needs.items():
            if wanted > (most := max((node.get(key, 0) for node in nodes), default=0)):
                given = f"hydra.launcher.num_{key.lower()}s={wanted:g}"
                raise UserError(f"{given}: no node of the Ray cluster has more than {most:g}")

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        import ray

        task = ray.remote(**self.options)(_in_folder)
        tasks = {task.remote(job, os.getcwd()): job for job in jobs}
        while tasks:
            (ended,), _ = ray.wait(list(tasks), num_returns=1)
            job = tasks.pop(ended)
            try:
                yield ray.get(ended)
            except ray.exceptions.RayError as error:
                yield job.lost(f"{type(error).__name__}: {str(error).splitlines()[0]}")


def _in_folder(job: Job, folder: str) -> Outcome:
    """Run a job in the folder that its relative paths mean."""
    os.chdir(folder)
    return job()
