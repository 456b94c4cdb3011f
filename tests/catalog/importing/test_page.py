import pytest

from orchestrator.catalog.importing.page import LARGEST_PAGE, open_page
from orchestrator.errors import UsageError


def test_lines_keep_their_numbers_whatever_ends_them():
    page = open_page(b"one\r\n\r\ntwo\rthree\n")
    assert page.filled == (1, 3, 4)
    assert (page.line(3), page.last) == ("two", 4)
    assert (page.before(3), page.after(3), page.after(4)) == (1, 4, None)


def test_white_space_and_what_shows_nothing_are_tidied():
    text = "\ufeff a\u00a0\u3000b\tc\u200b\u00ad\u200ed \u2028e\u0301\x07\ufdd0 "
    assert open_page(text.encode()).lines == ("a b cd \u00e9",)


def test_half_a_character_at_the_end_is_left_out():
    whole = "ab\u0e44".encode()
    for data in (whole[:-1], whole[:-2], whole[:-1] + b"\n"):
        assert open_page(data).line(1) == "ab"


@pytest.mark.parametrize("data", [b"a\xff", b"a\xe0b", "\ud0c0".encode("utf-16")])
def test_what_is_no_utf_8_text_is_refused(data):
    with pytest.raises(UsageError, match="no UTF-8 text"):
        open_page(data)


def test_what_is_too_large_to_be_a_page_is_refused():
    with pytest.raises(UsageError, match="larger than 1,000,000 bytes"):
        open_page(b"a" * (LARGEST_PAGE + 1))


def test_an_empty_page_has_a_last_line_to_point_at():
    assert open_page(b"").last == 1
