import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.text import is_plain_text, normalize_email


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Bob@X.example.com", "bob@x.example.com"),
        ("MIKE@EXAMPLE.COM", "mike@example.com"),
        ("a+tag@example.com", "a+tag@example.com"),
        ("o'hara_{1}@example.com", "o'hara_{1}@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
        # Networks of one's own.
        ("ada@bank.test", "ada@bank.test"),
        ("ada@branch.local", "ada@branch.local"),
        ("ada@host.invalid", "ada@host.invalid"),
        ("ada@localhost", "ada@localhost"),
        # IDNA: both spellings of one domain are one address.
        ("a@xn--mnchen-3ya.test", "a@xn--mnchen-3ya.test"),
        ("a@münchen.test", "a@xn--mnchen-3ya.test"),
        ("a@MU\u0308NCHEN.test", "a@xn--mnchen-3ya.test"),
        ("a@fass.test", "a@fass.test"),
        ("a@faß.test", "a@xn--fa-hia.test"),
    ],
)
def test_an_address_has_one_compared_form(written: str, compared: str) -> None:
    assert normalize_email(written) == compared
    assert normalize_email(compared) == compared


NO_ADDRESSES = [
    "",
    "a",
    "@example.com",
    "a@",
    "a@b@c",
    "a@x..test",
    "a.@x.example.com",
    ".a@x.example.com",
    "a..b@x.example.com",
    "a@[127.0.0.1]",
    "a@x.example.com\n",
    "a@x.example.com,b@x.example.com",
    "x" * 65 + "@x.example.com",
    "a@" + "b" * 64 + ".example.com",
    "a@" + ".".join(["b" * 60] * 5) + ".test",
    "a@x.example.com\r\nBcc: z@x.example.com",
    " bob@x.example.com ",
    "Ada <ada@example.com>",
    '"ada"@example.com',
    "ada(comment)@example.com",
    "a@-x.example.com",
    "a@example.com.",
    "a@xn--zzzz.test",
    "a\0@example.com",
    "a@example.com\0",
    "a@exa\u00admple.com",
    "a@x\u200b.example.com",
    "\ud800@example.com",
    "a@\ud800.com",
    # Another's name in other letters: kelvin sign, dotless i, Cyrillic i, full width, zero width, accents.
    "mi\u212ae@x.example.com",
    "m\u0131ke@x.example.com",
    "m\u0456ke@x.example.com",
    "ｍｉｋｅ@x.example.com",
    "mike\u200b@x.example.com",
    "mike\u2028@x.example.com",
    "jose\u0301@x.example.com",
    "josé@x.example.com",
    "stra\u00dfe@x.example.com",
]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not an e-mail address$"):
        normalize_email(text)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=30), st.text(max_size=12).map(lambda part: f"{part}@example.com")))
def test_any_text_is_an_ascii_address_in_lower_case_or_a_value_error(text: str) -> None:
    try:
        address = normalize_email(text)
    except ValueError:
        return
    assert address.isascii()
    assert address == address.lower() == normalize_email(address)
    assert text.partition("@")[0].isascii(), "no letter of the name was mapped to another"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rent",
        "O'Brien, 2nd",
        "Zoë",
        "北京",
        "مرحبا",
        "\N{THUMBS UP SIGN}",
        "👩\u200d👩",
        "ＡＢＣ",
        "a\u00adb",
    ],
)
def test_every_script_is_plain_text(text: str) -> None:
    assert is_plain_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "a\0b", "a\nb", "a\tb", "a\x7fb", "a\x85b", "é\0", "é\n", "a\ud800", "a\u2028b", "a\u2029b",
        "a\u202eb", "a\u2066b", "a\u200bb", "\ufeffa", "a\ufffeb", "a\uffffb",
    ],
)  # fmt: skip
def test_controls_and_direction_overrides_are_no_plain_text(text: str) -> None:
    assert not is_plain_text(text)
