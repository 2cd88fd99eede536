"""The same photograph twice: hashes, how near they are, and whether one picture lies upon the other."""
