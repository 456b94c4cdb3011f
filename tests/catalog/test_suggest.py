from orchestrator.catalog.suggest import nearest


def test_a_slip_of_the_keys_finds_the_name():
    assert nearest("happyhorse", ["hailuo-pro", "happyhorse-1-0", "sora-2-pro"]) == "happyhorse-1-0"


def test_letter_case_does_not_matter_and_the_names_own_is_given():
    assert nearest("DURATION", ["Duration", "seed"]) == "Duration"


def test_nothing_close_is_nothing():
    assert nearest("voice", ["seed", "aspect_ratio"]) is None
    assert nearest("voice", []) is None
