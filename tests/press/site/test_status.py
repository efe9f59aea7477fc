"""What the runs took is said as recorded."""

from colu.press.site.status import notebook_facts, run_facts


def test_status_says_what_was_recorded_and_no_more(gathered):
    facts = notebook_facts(gathered / "executed/smoke/10-a.ipynb")
    assert facts["time"] == "61 s" and facts["memory"] == "1.5 GB" and facts["last"] == "2026-11-27 06:05 UTC"
    bare = notebook_facts(gathered / "executed/smoke/11-b.ipynb")
    assert {bare[name] for name in ("time", "memory", "device", "validated")} == {"–"}
    ((*_, runs, seconds, memory, _torch, last),) = run_facts(gathered / "results")
    assert (runs, seconds, memory, last) == ("2", "3 to 8 s", "1.0 GB", "2026-11-24")
