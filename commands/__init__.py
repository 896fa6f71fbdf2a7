"""The subcommands of `puntual`: each reads options and prints; the work is done in the rooms."""
