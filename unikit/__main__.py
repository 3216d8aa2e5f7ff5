"""`python -m unikit`."""

from unikit.cli import main

main()
