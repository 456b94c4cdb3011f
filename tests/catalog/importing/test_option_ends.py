import pytest

from orchestrator.catalog.importing.option_ends import split_options
from orchestrator.catalog.importing.typesetting import Typesetting

#: English, Thai, and Japanese, which glues Latin words to its own.
LATIN = Typesetting(letters_apart=False, figures_apart=False, capitals=True)
SPACED = Typesetting(letters_apart=True, figures_apart=True, capitals=False)
GLUED = Typesetting(letters_apart=False, figures_apart=False, capitals=False)


@pytest.mark.parametrize(
    ("text", "default", "page", "options"),
    [
        # The default has to be the last one.
        ("std, proQuality", "pro", LATIN, ["std", "pro"]),
        ("none, auto音声の扱い", "auto", GLUED, ["none", "auto"]),
        ("std, pro(slow)", "pro", LATIN, ["std", "pro"]),
        # Truth values have no longer names.
        ("false, trueAI rewrites", None, LATIN, ["false", "true"]),
        ("true, falseを送る", None, GLUED, ["true", "false"]),
        # Figures of one kind.
        ("480p, 720pResolution", None, LATIN, ["480p", "720p"]),
        ("16:9, 9:16Aspect ratio", None, LATIN, ["16:9", "9:16"]),
        ("5, 10Length in seconds", None, LATIN, ["5", "10"]),
        ("1K, 2K, 4KÉcran", None, LATIN, ["1K", "2K", "4K"]),
        ("720p, 1080p解像度", None, GLUED, ["720p", "1080p"]),
        ("16:9, 1:1画面比例", None, GLUED, ["16:9", "1:1"]),
        # Another script, where the page keeps it apart from Latin letters.
        ("standard, highระดับคุณภาพ", None, SPACED, ["standard", "high"]),
        ("10, 15ระยะเวลา", None, SPACED, ["10", "15"]),
        ("s3, ossปลายทาง, สำหรับ s3", None, SPACED, ["s3", "oss"]),
        ("off, onЖизнь", None, SPACED, ["off", "on"]),
    ],
)
def test_an_end_that_the_page_proves_is_told(text, default, page, options):
    found = split_options(text, default, page)
    assert found is not None
    assert list(found[0]) == options
    assert ", ".join(options) + found[1] == text


@pytest.mark.parametrize(
    ("text", "default", "page"),
    [
        # The option could be highQuality, and the description begin with a small letter.
        ("standard, highQuality level", None, LATIN),
        ("standard, highQuality level", "standard", LATIN),
        ("dolly, panLeftCamera", "dolly", LATIN),
        ("std, prolonged", "pro", LATIN),
        ("a, b, cb", "c", LATIN),
        ("auto, autoFit, manual mode", "auto", LATIN),
        # A line that was broken within its options.
        ("std, pro,", "pro", LATIN),
        ("std, pro", "pro", LATIN),
        ("false, true,", None, LATIN),
        ("false, true", None, LATIN),
        ("false, truely", None, LATIN),
        # More than figures may be an option too, or belong to the description.
        ("480p, 720pHD quality", None, LATIN),
        ("480p, 720pProVersion", None, LATIN),
        ("480p, 720presolution", None, LATIN),
        ("480p, 720pResolution", None, GLUED),
        ("5, 105 seconds", None, LATIN),
        ("5, 105秒", None, GLUED),
        ("5, 10秒数", None, GLUED),
        ("10, 23D mode", None, LATIN),
        ("v1, v2Pro version", None, LATIN),
        # A description that begins with a Latin word or a figure.
        ("off, onAI ปรับพรอมต์", None, SPACED),
        ("off, on3D-жизнь", None, SPACED),
        ("off, onLLM-жизнь", None, SPACED),
        ("off, onAIжизнь", None, SPACED),
        ("off, onpromptを広げる", None, SPACED),
        ("off, on画質", None, SPACED),
        ("off, onระดับ", None, GLUED),
        ("10, 15ระยะเวลา", None, Typesetting(True, False, False)),
        # Two ends that are proved, of which one cannot be.
        ("false, trueOr, autoMode", "auto", LATIN),
        # Nothing to tell, or nothing that can be right.
        ("", None, LATIN),
        ("-Quality", None, LATIN),
        ("ต่ำ, สูงระดับ", None, SPACED),
        ("480p, 480pResolution", None, LATIN),
        ("480p, 720pResolution", "1080p", LATIN),
    ],
)
def test_an_end_that_nothing_proves_is_not_told(text, default, page):
    assert split_options(text, default, page) is None
