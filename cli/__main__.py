"""`python -m cli` is `bulkhead`."""

from cli.main import main

main()
