"""A labelled corpus: recordings of simulated fleets, some of them in trouble, and what is true of each."""

from snowshed.streams.simulate.corpus.parts import PARTS
from snowshed.streams.simulate.corpus.writing import named, write_case, write_corpus

__all__ = ["PARTS", "named", "write_case", "write_corpus"]
