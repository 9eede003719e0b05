"""The Luhn check digit (ISO/IEC 7812-1, annex B): catches one wrong digit and most swapped pairs."""

_DOUBLED = {str(digit): sum(divmod(digit * 2, 10)) for digit in range(10)}


def check_digit(digits: str) -> str:
    """The digit to append to `digits`."""
    # The last of `digits` is doubled: the check digit will stand to its right.
    total = sum(map(_DOUBLED.__getitem__, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return str(-total % 10)


def is_valid(number: str) -> bool:
    """Whether the last digit is the check digit of those before it."""
    return (
        len(number) > 1 and number.isascii() and number.isdigit() and check_digit(number[:-1]) == number[-1]
    )
