"""A demo agent: waits at the hub for customers' turns and answers them."""
