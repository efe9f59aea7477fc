"""Statements are data that cannot contradict itself."""

import pytest

from colu.lab.experiments import get_arm, get_experiment
from colu.lab.results import config_hash, metric_of
from colu.lab.results.tables import MACHINE, without
from colu.lab.verdicts import load_statements

ONE = "one:\n  statement: It holds.\n  source: somebody\n  where: a table\n  says: higher\n"


@pytest.mark.parametrize(("text", "said"), [
    (ONE.replace("  says: higher\n", ""), "says"),
    (ONE.replace("higher", "sideways"), "says is 'sideways'"),
    (ONE + "  printed: {arm: 1, baseline: 2}\n", "one: says higher, but the printed effect is -1"),
    (ONE + "  holds: true\n", "holds"),
    (ONE.replace("one:", "One of them:"), "id"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(tmp_path, text, said):
    path = tmp_path / "statements.yml"
    path.write_text(text)
    with pytest.raises(ValueError) as caught:
        load_statements(path)
    assert said in str(caught.value) and "statements.yml" in str(caught.value)


def test_exploratory_runs_are_of_arms_that_exist_and_of_one_setting():
    for statement in load_statements().values():
        if (ours := statement.exploratory) is None:
            continue
        assert set(ours.presets) <= set(get_experiment(ours.experiment).presets)
        assert get_arm(ours.arm) and get_arm(ours.baseline)
        records = ours.records()
        assert len({(r.arm, r.seed) for r in records}) == len(records), statement.id
        assert len({config_hash(without(r.config, "arm", "seed", *MACHINE)) for r in records}) <= 1, statement.id
        assert all(metric_of(r, name) is not None for r in records for name in ours.metrics)


def test_what_is_not_of_the_printed_task_says_so():
    other = [s.exploratory for s in load_statements().values() if s.exploratory and s.exploratory.other_task]
    assert other and all("instead" in ours.setting for ours in other)
