"""The launcher: one pod as processes of this machine, started, watched, stopped, and nothing left behind."""
