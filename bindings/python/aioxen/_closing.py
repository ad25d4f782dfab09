# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Closing: `async with` for an object that aclose() ends."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import Self


class Closing:
    """The end of an `async with` block ends the object."""

    @abstractmethod
    async def aclose(self) -> None:
        """Ends the object."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
