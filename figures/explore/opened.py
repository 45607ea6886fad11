"""What the command opened the page with: the user's model, loaded once from the path that the command line names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.explore.state import State, from_query
from experiments.user_model import UserModel


@dataclass
class Opened:
    """own: the user's model, for states of kind "own"; no state and no address can name another."""

    own: UserModel | None = None


OPENED = Opened()


def first_state(query: Mapping[str, str | Sequence[str]]) -> tuple[State, str]:
    """The state of the page's address, or the default and the sentence that says what was wrong with the address."""
    try:
        return from_query(query), ""
    except ValueError as error:
        return State(), f"The page's address names no state, so this is the default: {error}."
