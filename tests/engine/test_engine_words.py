"""What ``--engine`` may say: where jobs go, and what each takes there."""

import pytest

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.progress import counted, counted_elsewhere, progress_bar
from anomaly_gan.engine.cluster import Cluster, active, engine, read_engine


def test_an_engine_its_address_and_what_a_task_takes():
    assert read_engine("local") == ("local", Cluster()) and read_engine("ray") == ("ray", Cluster())
    assert read_engine("ray:auto") == ("ray", Cluster("auto"))
    name, cluster = read_engine("ray:head:6379,cpus=2,gpus=0.5,memory=1.5G,retries=5")
    assert (name, cluster) == ("ray", Cluster("head:6379", 2, 0.5, 1.5 * 2**30, 5))
    assert cluster.needs("cuda", 8) == {"num_cpus": 2, "num_gpus": 0.5, "max_retries": 5, "memory": 1610612736}
    assert Cluster().needs("cuda", 8) == {"num_cpus": 8, "num_gpus": 1, "max_retries": 3}
    with engine():
        assert active() is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("spark", "--engine spark: must be one of: local, ray"),
        ("local:auto", "addresses and resources go with ray"),
        ("ray:auto,disk=3", "disk: must be one of: cpus, gpus, memory, retries"),
        ("ray:auto,cpus=2G", "cpus=2G: must be a number"),
        ("ray,memory", "memory=: must be a number, of memory also with K, M, G or T"),
    ],
)
def test_what_it_may_not_say(told, said):
    with pytest.raises(ConfigError, match=said):
        read_engine(told)


def test_work_that_another_process_counts_is_shown_here():
    assert counted() is None
    with counted_elsewhere() as show:
        for said in (None, ("gate pit", 9, 2, ""), ("gate pit", 9, 4, "kept"), ("gate rust", 3, 1, "")):
            show(said)
            assert counted() == said
    with progress_bar("a", 2) as bar:
        bar.update()
        assert counted() == ("a", 2, 1, "")
    assert counted() is None
