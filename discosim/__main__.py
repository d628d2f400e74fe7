"""`python -m discosim`."""

from discosim.cli import main

if __name__ == "__main__":
    main()
