"""Python runs this first in servers whose writers a test wants at another isolation level."""

from tests import isolation

isolation.apply()
