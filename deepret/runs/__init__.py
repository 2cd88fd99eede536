"""The folder of a run: its configuration, state, checkpoints and logs; the ledger of many runs."""
