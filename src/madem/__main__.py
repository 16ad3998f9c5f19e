"""`python -m madem`."""

from madem.cli import main

main()
