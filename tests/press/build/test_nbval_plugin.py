"""What the plugin asks of nbval is there, single objects are changed and no class, and words are compared exactly."""

import inspect
import re
from pathlib import Path
from queue import Empty
from types import SimpleNamespace

import nbval.kernel
import nbval.plugin
import pytest
from jupyter_client.client import KernelClient

from colu.press.build import nbval_plugin
from colu.press.build.nbval_plugin import REACHED, Tolerant, watch
from colu.press.build.worker import START_TRIES


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("loss 0.123450", "loss 0.123451", True),
        ("x  1.0\n", "x 1.0", True),
        ("loss 0.1235", "loss 0.2235", False),
        ("3 epochs", "4 epochs", False),
        ("claim holds: 1.0", "claim fails: 1.0", False),
        ("1.0 2.0", "1.0", False),
        ({"a": [1.0, "x"]}, {"a": [1.0 + 1e-9, "x"]}, True),
        ({"a": 1}, {"b": 1}, False),
        (True, 1, False),
        (3, 4, False),
    ],
)
def test_outputs_agree_in_words_and_integers_exactly_and_in_floats_nearly(a, b, same):
    assert (Tolerant(a) == Tolerant(b)) is same


def test_an_output_differs_where_it_does_not_agree_and_is_shown_as_text():
    assert not Tolerant("1.0") != Tolerant("1.00000001")
    assert Tolerant("1.0") != Tolerant("1.1") and Tolerant("1.0") != 1.0
    assert repr(Tolerant("loss 0.5")) == repr("loss 0.5") and Tolerant({"b": [True]}).startswith('{"b": [true')


def test_names_of_nbval_are_there_and_used_as_the_plugin_expects():
    cell, file = nbval.plugin.IPyNbCell, nbval.plugin.IPyNbFile
    assert list(REACHED) == [
        "IPyNbFile.skip_compare",
        "IPyNbFile.kernel",
        "RunningKernel.kc",
        "IPyNbCell.sanitize",
    ]
    assert list(inspect.signature(cell.sanitize).parameters) == ["self", "s"]
    compared = inspect.getsource(cell.compare_outputs)
    assert compared.count("_outs[data_key].append(self.sanitize(") == 2
    assert compared.count("_outs[key].append(self.sanitize(") == 2
    assert "if ref_out != test_out:" in compared and "self.parent.skip_compare" in compared
    assert "self.skip_compare = (" in inspect.getsource(file.__init__)
    assert "self.kernel = RunningKernel(" in inspect.getsource(file.setup) and file.kernel is None
    kernel = nbval.kernel.RunningKernel
    assert "self.km, self.kc = start_new_kernel(" in inspect.getsource(kernel.__init__)
    assert "self.kc.execute(" in inspect.getsource(kernel.execute_cell_input)
    assert "self.kc.get_shell_msg(timeout=timeout)" in inspect.getsource(kernel.get_message)
    assert "self.get_message(stream='shell', timeout=timeout)" in inspect.getsource(kernel.await_reply)


def test_no_other_name_of_nbval_is_used():
    source = Path(nbval_plugin.__file__).read_text(encoding="utf8")
    code = source.partition("_NUMBER =")[2]
    assert not re.search(r"import.*nbval|nbval\.(plugin|kernel)", source)
    owners = (nbval.plugin.IPyNbCell, nbval.plugin.IPyNbFile, nbval.kernel.RunningKernel)
    theirs = {name for owner in owners for name in vars(owner) if not hasattr(pytest.File, name)}
    theirs |= set(re.findall(r"self\.(\w+)", "".join(map(inspect.getsource, owners)))) - {"setup", "path"}
    used = set(re.findall(r"\.(\w+)", code))
    of_the_client = {"execute", "get_shell_msg", "is_alive"}
    assert used & theirs - of_the_client == {name.partition(".")[2] for name in REACHED}


def _notebook(failures):
    """A notebook's collector whose first ``failures`` kernels do not answer."""

    def setup():
        notebook.starts += 1
        if notebook.starts <= failures:
            raise RuntimeError("Kernel didn't respond in 120 seconds")
        notebook.kernel = SimpleNamespace(kc=SimpleNamespace(execute=None, get_shell_msg=None))

    notebook = SimpleNamespace(path=Path("a.ipynb"), starts=0, skip_compare=("name",), setup=setup)
    return notebook


def test_kernel_that_does_not_answer_is_started_again(capsys):
    notebook = _notebook(START_TRIES - 1)
    nbval_plugin.pytest_collectstart(notebook)
    assert notebook.skip_compare == ("name", "stderr")
    notebook.setup()
    assert notebook.starts == START_TRIES
    assert f"try {START_TRIES} of {START_TRIES}" in capsys.readouterr().err
    hopeless = _notebook(START_TRIES)
    nbval_plugin.pytest_collectstart(hopeless)
    with pytest.raises(RuntimeError, match="didn't respond"):
        hopeless.setup()
    assert hopeless.starts == START_TRIES


def test_what_is_no_notebook_is_left_alone():
    module = SimpleNamespace(path=Path("a.py"))
    nbval_plugin.pytest_collectstart(module)
    nbval_plugin.pytest_itemcollected(module)
    assert vars(module) == {"path": Path("a.py")}


def _client(answers):
    """A client whose kernel lives as long as it has answers; None is an answer that does not come in time."""
    waits = []

    def get_shell_msg(timeout):
        waits.append(timeout)
        answer = answers.pop(0)
        if answer is None:
            raise Empty
        return answer

    client = SimpleNamespace(
        execute=lambda code, **options: options, get_shell_msg=get_shell_msg, is_alive=lambda: bool(answers)
    )
    watch(client)
    return client, waits


def test_kernel_that_dies_is_noticed_before_the_time_out():
    client, waits = _client([None, None])
    with pytest.raises(RuntimeError, match="the kernel died"):
        client.get_shell_msg(timeout=3600)
    assert waits == [2.0, 2.0]


def test_kernel_that_is_busy_is_waited_for_until_the_time_out():
    client, waits = _client([None, None, "done"])
    assert client.get_shell_msg(timeout=3600) == "done" and len(waits) == 3
    client, waits = _client([None, "too late"])
    with pytest.raises(Empty):
        client.get_shell_msg(timeout=0)
    assert waits == [0.01]


def test_cells_are_run_with_history():
    client, _ = _client([])
    assert client.execute("1;", store_history=False, allow_stdin=False) == {"store_history": True, "allow_stdin": False}
    assert "store_history" in inspect.signature(KernelClient.execute).parameters
