"""What is kept in the store."""

from typing import Annotated

from pydantic import Field

from configs.section import Section


class StoreSettings(Section):
    """What is removed from the store after a night; never taken from a file found among the captures. 0: no such limit."""

    keep_days: Annotated[float, Field(ge=0)]
    """Products older than this go, results too; the number of days."""
    keep_gb: Annotated[float, Field(ge=0)]
    """Largest size of the store's products, in gigabytes: the oldest go first."""
    keep_nights: Annotated[int, Field(ge=0)]
    """How many of the last nights that have results are kept."""
