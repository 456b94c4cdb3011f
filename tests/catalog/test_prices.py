import pytest

from orchestrator.catalog.prices import described_price, price
from orchestrator.catalog.tables import shipped

SORA = shipped().models["rivya/sora-2-pro"]
MINIMAX = shipped().models["acedatacloud/minimax-t2v"]


@pytest.mark.parametrize(
    ("model", "stated", "expected"),
    [
        (SORA, {}, (75, "estimated")),
        (SORA, {"acedatacloud": 0.9}, (75, "estimated")),
        (SORA, {"rivya": 60.0}, (60.0, "exact")),
        (SORA, {"rivya": 60.0, "rivya/sora-2-pro": 80.0}, (80.0, "exact")),
        (SORA, {"sora-2-pro": 80.0}, (75, "estimated")),
        (MINIMAX, {}, (None, "unknown")),
        (MINIMAX, {"acedatacloud/minimax-i2v": 0.9}, (None, "unknown")),
        (MINIMAX, {"acedatacloud": 0.9}, (0.9, "exact")),
        (MINIMAX, {"acedatacloud": 0.9, "acedatacloud/minimax-t2v": 0}, (0, "exact")),
    ],
)
def test_the_more_specific_price_wins_and_a_stated_one_over_the_table(model, stated, expected):
    assert price(model, stated) == expected


def test_an_unknown_price_is_said_to_be_unknown():
    assert described_price(SORA) == "75 credits a generation (FIXED)"
    assert described_price(MINIMAX) == "unknown"
