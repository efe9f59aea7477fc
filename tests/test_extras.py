"""What is said where a part of the package lacks its extra."""

from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from colu import extras


@pytest.mark.parametrize("extra", extras.MODULES)
def test_the_modules_of_an_extra_come_from_its_requirements(extra):
    wanted = [Requirement(text) for text in metadata.requires("colu")]
    ours = [each for each in wanted if each.marker and each.marker.evaluate({"extra": extra})]
    owners = metadata.packages_distributions()
    brought = {canonicalize_name(name) for module in extras.MODULES[extra] for name in owners[module]}
    assert brought <= {canonicalize_name(each.name) for each in ours}


def test_what_is_absent_is_named_with_the_command_that_brings_it():
    said = r'colu\.x needs no_such_a, no_such_b, .*"colu\[lab\] @ git\+https'
    with pytest.raises(ModuleNotFoundError, match=said) as caught:
        extras.require("lab", "colu.x", "yaml", "no_such_a", "no_such_b")
    assert caught.value.name == "no_such_a"
