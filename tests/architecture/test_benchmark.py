"""The figures in the README and on the page are those of the record."""

from benchmarks import page, results
from tests.architecture.documents import read


def test_the_readme_shows_what_was_measured() -> None:
    begun = read("README.md").split("<!-- made by make bench: begin -->\n")[1]
    assert begun.split("<!-- made by make bench: end -->\n")[0] == page.short(results.load(page.RECORD))


def test_the_page_is_the_record() -> None:
    record = results.load(page.RECORD)
    assert page.PAGE.exists() == (record is not None)
    assert record is None or page.PAGE.read_text("utf-8") == page.render(record)
