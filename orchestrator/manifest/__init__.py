"""The manifest: YAML with exact positions in, checked and expanded jobs out.

`check.check` tells every problem at once; `check.load` gives the manifest or raises.
"""
