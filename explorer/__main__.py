"""`python -m explorer`: the same as `glitch-explore`."""

import sys

from explorer.entry import main

if __name__ == "__main__":
    sys.exit(main())
