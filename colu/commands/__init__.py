"""Bodies of the commands; each imports what it needs when it runs, so that ``colu --help`` stays quick."""
