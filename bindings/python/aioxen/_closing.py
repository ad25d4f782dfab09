# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Closing, the base of objects that `async with` or aclose() ends."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import Self


class Closing:
    """An object that ends with its `async with` block."""

    @abstractmethod
    async def aclose(self) -> None:
        """Ends the object."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
