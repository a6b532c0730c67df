"""`python -m cpex`: the same command as the console script `cpex`."""

from cpex.tools.cli import main

if __name__ == "__main__":
    main()
