"""Language models that only the studies need, with the tasks that fit them."""
