"""What is to be done next, decided and not done: pure functions over objects of a cluster, time and ids given."""
