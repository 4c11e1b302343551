"""The kinds of targets that have settings of their own: one TOML file beside this one for each."""

from typing import Literal, get_args

Profile = Literal["planet", "moon", "sun", "stars", "satellite"]
PROFILES: tuple[str, ...] = get_args(Profile)
