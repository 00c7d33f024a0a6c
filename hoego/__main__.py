"""`python -m hoego` is the command `hoego`."""

from hoego.cli.main import main

main()
