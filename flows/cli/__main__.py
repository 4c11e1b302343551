"""`python -m flows.cli`: the same as the command `stillsky`."""

from flows.cli.main import main

main()
