"""Everything known about models: their parameter tables, and what is derived from them."""
