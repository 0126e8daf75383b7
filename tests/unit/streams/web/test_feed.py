from __future__ import annotations

from tests.unit.streams.web.fleet import FedWorld, node

from snowshed.streams.web import View
from snowshed.streams.web.feed import Feed

NOW = 1_800_000_000.0


class Counted(FedWorld):
    def __init__(self) -> None:
        super().__init__()
        self.views = 0

    def view(self) -> View:
        self.views += 1
        return super().view()


def test_all_viewers_share_one_encoding_a_period() -> None:
    world = Counted()
    feed = Feed(world, lambda: NOW, period=1000.0)
    for i in range(5):
        world.tell(node(f"n{i}", "s", NOW))
        feed.frame()
    assert world.views == 1


def test_an_unchanged_world_is_not_encoded_again() -> None:
    world = Counted()
    feed = Feed(world, lambda: NOW, period=0.0)
    assert feed.frame() is feed.frame()
    world.tell(node("n", "s", NOW))
    assert feed.frame() is feed.frame()
    assert world.views == 2


def test_the_current_world_is_never_an_earlier_frame() -> None:
    world = FedWorld()
    feed = Feed(world, lambda: NOW, period=1000.0)
    feed.frame()
    world.tell(node("late", "s", NOW))
    assert b"late" in feed.current()
