"""The process that runs one notebook."""

from colu.press.build import worker


def test_kernel_that_does_not_answer_is_started_again(monkeypatch):
    silent = {"status": "failed", "cell": None, "message": "Kernel didn't respond in 120 seconds"}
    answers = [silent, silent, None]
    monkeypatch.setattr(worker, "_papermill", lambda request: answers.pop(0))
    assert worker.execute({})["status"] == "ok" and answers == []
    answers[:] = [silent] * 4
    assert worker.execute({}) == silent and len(answers) == 1
    # What a cell raised is never tried again.
    raised = silent | {"cell": 2}
    answers[:] = [raised, None]
    assert worker.execute({}) == raised and len(answers) == 1
