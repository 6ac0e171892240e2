from anomaly_gan.core.config import dump_yaml
from anomaly_gan.synthesis.methods.config import SWITCHES, TrainConfig


def test_a_switch_is_written_where_it_is_given_and_leaves_no_trace_where_not():
    """A finished training keeps its key when the program learns another switch."""
    text = dump_yaml(TrainConfig())
    assert not [name for name in SWITCHES if f"{name}:" in text]
    assert set(SWITCHES) <= set(TrainConfig.model_fields)
    given = TrainConfig(r1=2.0, repeat=1, time_budget="25m").model_dump(mode="json")
    assert {name: given[name] for name in SWITCHES if name in given} == {"time_budget": "25m", "r1": 2.0, "repeat": 1}
    assert TrainConfig(**given) == TrainConfig(r1=2.0, repeat=1, time_budget="25m")
