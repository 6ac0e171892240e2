"""Cards: front matter that the hub reads, facts in a table, no time and no path of this machine."""

import yaml

from anomaly_gan.core.cards import Card, write_card


def card(kind="model", **more):
    facts = {"categories": ["crack", "a|b"], "rate": 0.05, "left out": None, "counts": {"crack": 3}}
    return Card(kind, "Detector", "image-segmentation", "Finds cracks.", facts, ["run me"], **more)


def test_the_front_matter_is_yaml_and_the_facts_are_a_table(tmp_path):
    path = write_card(tmp_path, card(limits=["Not in fog."], tags=["gan"]))
    _, front, body = path.read_text("utf-8").split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["library_name"] == "anomaly-gan" and head["pipeline_tag"] == "image-segmentation"
    assert head["tags"] == ["anomaly-gan", "visual-inspection", "gan"]
    assert "| categories | crack, a\\|b |" in body and "| rate | 0.05 |" in body and "| counts | crack 3 |" in body
    assert "left out" not in body and "- Not in fog." in body and "```\nrun me\n```" in body


def test_a_data_set_is_tagged_as_one_and_a_card_without_limits_has_no_such_chapter():
    text = card("dataset").text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["task_categories"] == ["image-segmentation"] and "library_name" not in head
    assert "What not to expect" not in text
