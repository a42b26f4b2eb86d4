"""Ports that are right, wrong, or badly behaved, to test the kit that judges them."""
