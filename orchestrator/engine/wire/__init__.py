"""One create on its way: when it may go, how it is sent, and what is kept of its answer."""
