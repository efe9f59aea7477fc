"""Exercises are stated alike in every notebook for teaching."""

from colu.press.notebook import Exercise
from colu.press.teach.exercises import number_of, plain_exercise, wanted


def test_an_exercise_says_its_points_and_of_its_result_only_what_is_given():
    exercise = Exercise("ex-count", 1, "Count", "To two.\n\n*Expected:* 2, since 1 and 1 is 2.", "2, since", ())
    text = plain_exercise(exercise, number_of("12", 3), "2")
    assert text == "### Exercise 12.3 ★ (1 point): Count\n\nTo two.\n\n*Expected:* 2\n"
    assert "Expected" not in plain_exercise(exercise, "12.3", "")


def test_one_number_is_no_list():
    assert wanted("ex-choosing-power") == "your number"
    assert wanted("ex-symmetry-order") == "your 8 numbers, as a list,"
