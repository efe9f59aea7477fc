"""Checked fields: a value is kept as it was given, or refused in one line that names it."""

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from colu.lab.fields import Count, Name, Number, said
from colu.lab.training import Plan


@pytest.mark.parametrize("value", [1, 1.0, -0.0, 1e300])
def test_a_number_is_kept_as_it_was_given(value):
    kept = TypeAdapter(Number).validate_python(value)
    assert repr(kept) == repr(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Number, "1"), (Number, True), (Number, math.inf), (Number, math.nan), (Count, 1.0), (Count, True), (Count, 0)],
)
def test_what_only_looks_like_a_number_is_refused(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "", "a b", "A", "a-", ".a", "a\n", "a" * 81])
def test_what_would_be_no_file_beside_the_others_is_no_name(name):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


def test_every_fault_is_said_with_its_field_its_value_and_what_was_wanted():
    with pytest.raises(ValidationError) as caught:
        Plan(steps=0, batch_size=1, betas=(0.9, "high"))
    assert said(caught.value) == (
        "steps is 0: input should be greater than or equal to 1; learning_rate: field required; "
        "betas.1 is 'high': input should be a valid number"
    )


def test_other_errors_are_said_as_they_are():
    assert said(OSError("the disk is full")) == "the disk is full"
