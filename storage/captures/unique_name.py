"""Names of folders that nothing else has."""


def unique_name(name: str, taken: set[str]) -> str:
    """The name, numbered where it is taken in any case (file systems may not tell apart); it is taken from then on."""
    tried, number = name, 2
    while tried.casefold() in taken:
        tried, number = f"{name}-{number}", number + 1
    taken.add(tried.casefold())
    return tried
