"""The Ray engine against a stand-in of Ray: what it refuses, and how it collects."""

import sys
from types import SimpleNamespace

import pytest

from agent.errors import UserError
from agent.run.status import Status
from sweeps.ray_cluster import Ray


class RayError(Exception):
    pass


class Cluster(SimpleNamespace):
    """Two nodes, on which `outcomes` come of jobs by name, errors among them."""

    def __init__(self, gpus):
        super().__init__(exceptions=SimpleNamespace(RayError=RayError), given=None, outcomes={})
        self.each = [{"CPU": 4.0, "GPU": float(gpus)}, {"CPU": 2.0}]

    def is_initialized(self):
        return self.given is not None

    def init(self, **given):
        if given.get("address") == "ray://nowhere:10001":
            raise ConnectionError("ray client connection timeout")
        self.given = given

    def nodes(self):
        return [{"Alive": True, "Resources": has} for has in self.each]

    def cluster_resources(self):
        return {"CPU": 6.0, "GPU": self.each[0]["GPU"]}

    def remote(self, **options):
        return lambda function: SimpleNamespace(remote=lambda job, folder: job.name)

    def wait(self, tasks, num_returns):
        return tasks[-1:], tasks[:-1]

    def get(self, name):
        if isinstance(self.outcomes[name], Exception):
            raise self.outcomes[name]
        return self.outcomes[name]


@pytest.fixture
def ray(monkeypatch):
    def build(gpus=0):
        monkeypatch.setitem(sys.modules, "ray", Cluster(gpus))
        return sys.modules["ray"]

    return build


def test_more_than_any_node_has_is_refused(ray):
    ray(gpus=1)
    Ray(None, 4, 1, -1).check()
    with pytest.raises(UserError, match="num_cpus=5: no node .* more than 4"):
        Ray(None, 5, 0, -1).check()
    ray(gpus=0)
    with pytest.raises(UserError, match="num_gpus=0.25: no node .* more than 0"):
        Ray(None, 1, 0.25, -1).check()


def test_only_a_ray_of_our_own_is_told_how_to_start(ray):
    cluster = ray()
    Ray(None, 1, 0, -1).check()
    assert cluster.given["_node_ip_address"] == "127.0.0.1"
    cluster = ray(gpus=2)
    assert Ray("auto", 1, 0, -1).places() == 6
    assert Ray("auto", 1, 0.5, -1).places() == 4
    assert set(cluster.given) == {"address", "configure_logging"}


def test_a_cluster_that_does_not_answer_and_a_missing_ray_are_named(ray, monkeypatch):
    ray()
    with pytest.raises(UserError, match="address=ray://nowhere:10001: ray client connection"):
        Ray("ray://nowhere:10001", 1, 0, -1).check()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="pip install"):
        Ray(None, 1, 0, -1).check()


def test_a_lost_task_hides_no_other(ray, tmp_path, jobs):
    cluster = ray()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "run.json").write_text('{"status": "done"}')
    lost = RayError("the worker died\nand more")
    cluster.outcomes = {"a": jobs[0].outcome(Status.DONE), "b": lost, "c": lost}
    outcomes = {outcome.name: outcome for outcome in Ray(None, 1, 0, -1).run(jobs[:3])}
    assert [outcomes[name].status for name in "abc"] == ["done", "not started", "done"]
    assert outcomes["b"].error == "RayError: the worker died" and outcomes["c"].error is None
