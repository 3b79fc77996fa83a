"""The agent behind HTTP: a client of runs that starts one for each request."""
