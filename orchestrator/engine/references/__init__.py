"""References that a create needs: fetched where they are elsewhere, uploaded where they must."""
