import pickle
from math import isnan

from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.round_trip import WindowMinimum

_SAMPLES = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=60)


def test_nothing_measured_is_unknown() -> None:
    assert isnan(WindowMinimum().at(5.0))


def test_a_value_is_forgotten_once_its_window_has_passed() -> None:
    minimum = WindowMinimum(window=300.0, slots=10)
    minimum.add(0.001, now=10.0)
    minimum.add(0.020, now=200.0)
    assert minimum.at(309.0) == 0.001
    assert minimum.at(341.0) == 0.020
    assert isnan(minimum.at(600.0))


@given(_SAMPLES, st.floats(0, 50))
def test_the_minimum_lies_between_those_of_the_window_and_of_one_slot_more(
    samples: list[tuple[float, float]], later: float
) -> None:
    window, slots = 20.0, 5
    minimum = WindowMinimum(window, slots)
    samples.sort()
    for at, value in samples:
        minimum.add(value, at)
    now = samples[-1][0] + later
    surely = [value for at, value in samples if at >= now - window]
    perhaps = [value for at, value in samples if at >= now - window - window / slots]
    answer = minimum.at(now)
    if surely:
        assert min(perhaps) <= answer <= min(surely)
    elif not perhaps:
        assert isnan(answer)


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    minimum = WindowMinimum(window=20.0, slots=5)
    for i in range(10_000):
        minimum.add(0.001 * i, now=1.0 * i)
    assert len(pickle.dumps(minimum)) < 400
