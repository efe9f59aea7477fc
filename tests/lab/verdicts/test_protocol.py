"""A protocol that could not answer its question is refused, and one that changed is known by its digest."""

import pytest
import yaml

from colu.lab.verdicts import load_protocols, read_protocol

from .conftest import PROTOCOL, write

SMALL = {"sd": 2.0, "measured": "a guess"}


@pytest.mark.parametrize(("change", "said"), [
    ({"arms": ["relu", "gelu", "colu"]}, "the control 'rcolu' is no arm; add it, or say why under 'without'"),
    ({"arms": ["relu"]}, "arms"),
    ({"arms": ["relu", "silu"]}, "'gelu' is compared but not among the arms"),
    ({"arms": ["relu", "gelu", "gelu"]}, "arms has 'gelu' twice"),
    ({"seeds": [0, 1, 2, 3, 100]}, "seed 100 is tuned on and compared"),
    ({"seeds": [0, 1, 2, 3]}, "seeds"),
    ({"tests": PROTOCOL["tests"] * 2}, "tests has 'gelu-leads' twice"),
    ({"tuning": PROTOCOL["tuning"] | {"learning_rates": [0.1, 0.01, 0.2]}}, "in ascending order"),
    ({"tuning": PROTOCOL["tuning"] | {"learning_rates": [0.1, 0.2]}}, "learning_rates"),
    ({"tuning": PROTOCOL["tuning"] | {"metric": "test_accuracy"}}, "metric"),
    ({"spread": {"sd": 10.0, "measured": "a guess"}}, "a family that can't decide isn't run"),
    ({"version": 2, "earlier": {2: {"digest": "0" * 64, "why": "?"}}}, "earlier has version 2, this is version 2"),
    ({"stoping": "never"}, "stoping"),
    ({"gates": [{"gate": "hopes", "arm": "relu"}]}, "gates"),
    ({"gates": [{"gate": "reaches", "arm": "silu", "metric": "m", "printed": 1, "within": 1}]}, "'silu' is compared"),
])  # fmt: skip
def test_what_could_not_answer_is_refused_by_name(tmp_path, change, said):
    with pytest.raises(ValueError) as caught:
        write(tmp_path, **change)
    assert said in str(caught.value) and "toy" in str(caught.value)


def test_controls_may_be_left_out_with_a_reason(tmp_path):
    why = dict.fromkeys(("rcolu", "relu-linear", "identity"), "a toy")
    assert write(tmp_path, arms=["relu", "gelu", "colu"], without=why).arms[-1] == "colu"


@pytest.mark.parametrize("text", ["", "- a\n", "question: [", "question: 1\n"])
def test_a_file_that_is_no_protocol_is_named(tmp_path, text):
    (tmp_path / "odd.yml").write_text(text)
    with pytest.raises(ValueError, match=r"odd\.yml"):
        read_protocol(tmp_path / "odd.yml")


def test_the_digest_is_of_what_is_asked_and_not_of_the_layout(tmp_path):
    first = write(tmp_path)
    path = tmp_path / "protocols" / "toy.yml"
    path.write_text("# A remark.\n" + yaml.safe_dump(dict(reversed(PROTOCOL.items())), sort_keys=False))
    assert read_protocol(path).digest == first.digest
    assert write(tmp_path, priority=7).digest == first.digest
    assert write(tmp_path, shares="nothing").digest != first.digest
    assert write(tmp_path, beside=1, spread=SMALL).digest != write(tmp_path, spread=SMALL).digest


def test_the_first_protocol_has_the_digest_that_its_records_carry():
    """What protocols can say since then leaves it as it was."""
    digest = load_protocols(only=["mnist-perceptron"])["mnist-perceptron"].digest
    assert digest == "832f696ec35c7597b16c5b281fd6c6d08dd6b656b01b6f2d9eab6ad11ac3680e"


def test_tests_of_the_same_family_beside_it_cost_power(tmp_path):
    alone = write(tmp_path, spread=SMALL).power()["gelu-leads"]
    assert 0.8 <= write(tmp_path, spread=SMALL, beside=3).power()["gelu-leads"] < alone
    with pytest.raises(ValueError, match="a family that can't decide isn't run"):
        write(tmp_path, beside=10_000)


def test_protocols_come_by_priority_and_by_name(tmp_path):
    for name, priority in (("b", 2), ("a", 2), ("c", 1)):
        write(tmp_path, name, priority=priority)
    assert list(load_protocols(tmp_path)) == ["c", "a", "b"]
    assert list(load_protocols(tmp_path, ["a"])) == ["a"]
    with pytest.raises(ValueError, match="there is no protocol 'd'; choose among c, a, b"):
        load_protocols(tmp_path, ["d"])
