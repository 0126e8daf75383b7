"""The live page: the state of the fleet, its JSON API and the server-sent events that keep the page current."""

from snowshed.streams.web.api import mount
from snowshed.streams.web.feed import WorldSource
from snowshed.streams.web.orders import Send
from snowshed.streams.web.scopes import scopes
from snowshed.streams.web.source import FollowedWorld
from snowshed.streams.web.world import View, World

__all__ = ["FollowedWorld", "Send", "View", "World", "WorldSource", "mount", "scopes"]
