"""`python -m owner` is the `owner` command."""

from owner.cli import main

main()
