"""The pipeline: submit, watch, collect, within meters, budget and one clock."""
