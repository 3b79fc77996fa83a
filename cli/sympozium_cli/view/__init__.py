"""What a person sees of a run. All of it is read from the run's files, live or afterwards, in the same words."""
