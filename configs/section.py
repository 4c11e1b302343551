"""What the tables of a configuration have in common: they are frozen and closed, and their numbers have ranges."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
GRID_SCALES = (1.0, 1.5, 2.0, 3.0)
"""Pixels of the published sky for one of the camera's, along each axis."""


def _grid_scale(value: object) -> object:
    if value != "auto" and (isinstance(value, bool) or value not in GRID_SCALES):
        raise ValueError(f"needed is auto, {', '.join(f'{scale:g}' for scale in GRID_SCALES)}")
    return value


GridScale = Annotated[Literal["auto"] | float, BeforeValidator(_grid_scale)]


class Section(BaseModel):
    """One table of the configuration: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
