import pytest

from orchestrator.catalog.importing.sentences import (
    demands_files,
    figures,
    known_rule,
    prompt_limit,
    prompt_limits,
)


def test_a_known_sentence_is_known_whatever_its_figures():
    rule = known_rule("ภาพอ้างอิง: อัปโหลดไฟล์ภาพได้สูงสุด 3 ไฟล์สำหรับโปรเจกต์ภาพ")
    assert rule is not None
    assert (rule.combinations, rule.text) == (({"image": 3},), "At most 3 images.")


def test_a_sentence_for_several_kinds_tells_what_goes_together():
    rule = known_rule(
        "未附加影片時最多使用 9 張圖片;影片編輯時使用 2 段影片,並可搭配最多 1 張圖片參考。"
    )
    assert rule is not None
    assert rule.combinations == ({"image": 9}, {"video": 2, "image": 1})
    assert rule.text == "At most 9 images; or, to edit a video, 2 videos with at most 1 image."


@pytest.mark.parametrize(
    "sentence",
    [
        "ไม่ใช่อัปโหลดไฟล์ภาพได้สูงสุด 3 ไฟล์สำหรับโปรเจกต์ภาพ",
        "อัปโหลดไฟล์ภาพได้สูงสุด 3 ไฟล์สำหรับโปรเจกต์ภาพ และวิดีโอ",
        "อัปโหลดไฟล์ภาพได้สูงสุด 0 ไฟล์สำหรับโปรเจกต์ภาพ",
        "อัปโหลดไฟล์ภาพได้สูงสุด N ไฟล์สำหรับโปรเจกต์ภาพ",
        "Up to 3 images.",
    ],
)
def test_a_part_that_is_not_known_makes_the_sentence_unknown(sentence):
    assert known_rule(sentence) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1500 characters", 1500),
        ("5000 字元", 5000),
        ("5000字元", 5000),
        ("10.000 Zeichen", 10000),
        ("\uff15\uff10\uff10 文字", 500),
        ("1500", None),
        ("1500 tokens", None),
        ("1500 words", None),
        ("up to 1500 characters", None),
        ("0 characters", None),
        ("1,50 characters", None),
    ],
)
def test_a_limit_is_a_number_of_characters_and_nothing_else(text, expected):
    assert prompt_limit(text) == expected


def test_all_figures_of_a_sentence_are_seen():
    assert prompt_limits("10 to 20,000 characters, or 1.500") == {10, 20000, 1500}
    assert figures("v1: 2 images, 3張, 1-4, 5p, and 2.5") == [2, 3, 1, 4, 2]


@pytest.mark.parametrize(
    "sentence",
    ["Exactly 2 images.", "至少 1 張", "1 imagen obligatoria", "画像が必要です", "Genau 1 Bild"],
)
def test_a_demand_is_seen_in_several_languages(sentence):
    assert demands_files(sentence)
    assert not demands_files("Up to 2 images.")
