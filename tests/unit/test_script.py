"""Right-to-left words are drawn in their place, and numbers keep the order of their digits."""

import pytest

from app.statements.script import MISSING, shaped, visual

EVERYTHING = range(0x110000)


def back(text: str) -> str:
    return text[::-1]


@pytest.mark.parametrize(
    ("read", "drawn"),
    [
        ("plain", "plain"),
        ("Łukasz Ω Я", "Łukasz Ω Я"),
        ("דוד כהן", back("דוד כהן")),
        # A number inside right-to-left words stays as it is, and takes its place among them.
        ("שולם 1,050.00 אתמול", back("אתמול") + " 1,050.00 " + back("שולם")),
        ("חשבון 123", "123 " + back("חשבון")),
        # Right-to-left words in a left-to-right line.
        ("pay דוד כהן now", f"pay {back('דוד כהן')} now"),
        ("pay דוד 123 now", f"pay 123 {back('דוד')} now"),
        ("pay דוד 2026-01 now", "pay 2026-01 " + back("דוד") + " now"),
        ("a 1 דוד", "a 1 " + back("דוד")),
        # Brackets open to where the words go.
        ("דוד (כהן)", f"({back('כהן')}) {back('דוד')}"),
        # A left-to-right name among right-to-left words.
        ("שלום Ada King שלום", back("שלום") + " Ada King " + back("שלום")),
        ("שלום!", "!" + back("שלום")),
    ],
)
def test_a_line_is_drawn_as_it_is_read(read: str, drawn: str) -> None:
    assert visual(read) == drawn


def test_a_mark_stays_on_its_letter() -> None:
    assert visual("בָּר") == "ר" + "בָּ"


def test_arabic_letters_are_joined_and_then_turned() -> None:
    joined = shaped("محمد", EVERYTHING)
    assert joined == "\ufee3\ufea4\ufee4\ufeaa", "initial, middle, middle, final"
    assert visual(joined) == joined[::-1]
    assert shaped("لا", EVERYTHING) == "\ufefb", "one letter of two"


def test_what_a_font_lacks_is_marked() -> None:
    assert shaped("a山b", {97, 98}) == f"a{MISSING}b"
    assert shaped("👩‍👩", set()) == MISSING * 2, "joiners have no picture anyway"
    assert shaped("Ngo\u0302", set(map(ord, "Ngô"))) == "Ngô", "two characters that are one letter"
