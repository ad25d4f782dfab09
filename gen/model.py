# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model of an IDL. Outputs read the model and nothing else.

A `Model` holds all declarations in their order. Its types are in `gen.model_types`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import Enum

from gen.model_types import DIR_BOTH as DIR_BOTH
from gen.model_types import DIR_IN as DIR_IN
from gen.model_types import DIR_NONE as DIR_NONE
from gen.model_types import DIR_OUT as DIR_OUT
from gen.model_types import PASS_BY_REFERENCE as PASS_BY_REFERENCE
from gen.model_types import PASS_BY_VALUE as PASS_BY_VALUE
from gen.model_types import Aggregate as Aggregate
from gen.model_types import Array as Array
from gen.model_types import Builtin as Builtin
from gen.model_types import Declared as Declared
from gen.model_types import Enumeration as Enumeration
from gen.model_types import EnumValue as EnumValue
from gen.model_types import Field as Field
from gen.model_types import Flags as Flags
from gen.model_types import Float as Float
from gen.model_types import KeyedUnion as KeyedUnion
from gen.model_types import Mistake as Mistake
from gen.model_types import Number as Number
from gen.model_types import Place as Place
from gen.model_types import Struct as Struct
from gen.model_types import Type as Type
from gen.model_types import Union as Union
from gen.model_types import parts as parts
from gen.model_types import walk as walk


@dataclass(kw_only=True, eq=False)
class Error:
    """An error, `ERROR_<name>` in C. `value` is negative. `doc` is one line."""

    value: int
    name: str
    doc: str
    place: Place
    # The namespace of the extension that declares the error. "" for an error of the library.
    namespace: str = ""

    @property
    def c_name(self) -> str:
        return f"{self.namespace.upper()}ERROR_{self.name}"


@dataclass(kw_only=True, eq=False)
class Event(Declared):
    """An event that the library reports. `fields` has the event's fields except domid, domuuid
    and for_user."""

    number: int
    name: str
    fields: list[Field]
    doc: str
    since: str
    aliases: tuple[str, ...] = ()


class Speed(Enum):
    """The speed of an operation. A slow operation waits for something. An instant operation makes a few
    hypercalls and ends in its initiator."""

    SLOW = "slow"
    INSTANT = "instant"


@dataclass(kw_only=True, eq=False)
class Phase(Declared):
    """One step of a slow operation.

    `waits`, `stop` and `undo` are texts. A text is present exactly when the operation's source has the
    function that the text describes. Limits are in seconds. `limit_error` is None if the phase has no limit.
    It is also None if the end of the limit starts the next phase. `shared` is the name of the part of the
    operation's state on which the phase's functions work; operations with such a part share these functions.
    """

    name: str
    doc: str
    waits: str
    stop: str
    stop_limit: float | None
    undo: str
    undo_limit: float | None
    limit: float | None
    limit_error: Error | None = None
    commits: bool = False
    shared: str = ""


@dataclass(kw_only=True, eq=False)
class Operation(Declared):
    """An operation of the library.

    `name` is the C name without the namespace, `python_name` the Python name. `errors` excludes the errors
    that every operation can give (`Model.common_errors`). `limit` is the default time limit in seconds.
    `progress` is the event that the operation reports before its completion. `progress_what` is the word for
    this event in the name of the last parameter, `aop_<what>_how`. `undo` is the operation that reverses this
    operation. A hidden operation is started only by other operations. Operations with the same `shares` have
    the same phases, and the functions of the phases are written once.
    """

    name: str
    namespace: str
    python_name: str
    doc: str
    since: str
    inputs: list[Field]
    results: list[Field]
    errors: list[Error]
    abort: str
    limit: float | None
    speed: Speed
    phases: list[Phase] = field(default_factory=list)
    hidden: bool = False
    shares: str = ""
    progress: Event | None = None
    progress_what: str = ""
    undo: Operation | None = None

    @property
    def c_name(self) -> str:
        return f"{self.namespace}{self.name}"

    @property
    def summary(self) -> str:
        """The first paragraph of the documentation, as one line."""
        return " ".join(self.doc.split("\n\n")[0].split())

    @property
    def abortable(self) -> bool:
        return not self.abort.startswith("Not abortable")

    @property
    def domid(self) -> Field | None:
        """The input that names the operation's domain, if it has one."""
        return next((f for f in self.inputs if f.kind.name == "domid"), None)


@dataclass(kw_only=True, eq=False)
class Function(Declared):
    """A public function that is written by hand. `page` is the manual page that describes it."""

    name: str
    namespace: str
    page: str
    since: str

    @property
    def c_name(self) -> str:
        return f"{self.namespace}{self.name}"


@dataclass(kw_only=True, eq=False)
class DeviceFunctions(Declared):
    """libxl's synchronous functions for a class of devices.

    `listing` is the operation that lists the devices, `info` the struct that getinfo fills in. `kind` is the
    part of a frontend's path that names the class. `by` is the field of the configuration that identifies the
    device for getinfo. `one` and `many` are the words for one device and for several devices of the class.
    `by_devid` is set if a public function finds a configuration by its field `devid`.
    """

    name: str
    namespace: str
    kind: str
    one: str
    many: str
    by: str
    by_devid: bool
    listing: Operation
    info: Struct

    @property
    def list_type(self) -> Struct:
        """The result of the operation that lists the devices."""
        (result,) = self.listing.results
        assert isinstance(result.type, Struct)
        return result.type

    @property
    def array_name(self) -> str:
        """The name of the list's field that contains the configurations."""
        (array,) = self.list_type.fields
        return array.name

    @property
    def array(self) -> Array:
        (array,) = self.list_type.fields
        assert isinstance(array.type, Array)
        return array.type

    @property
    def config(self) -> Struct:
        """The configuration of a device."""
        assert isinstance(self.array.element, Struct)
        return self.array.element

    @property
    def by_text(self) -> bool:
        """Whether the field `by`, which identifies the device, is a text."""
        return next(f.kind.c_name for f in self.config.fields if f.name == self.by) == "char *"


@dataclass(kw_only=True, eq=False)
class Model:
    """The whole IDL, in order of declaration.

    `types` has the named types, except the types of the IDL language (`string`, `uint8`...). The last
    elements of `types` are `event_type` and `event`, which are made from the events. `name` is the name of
    the library or the extension. This name is part of the names of files and tables.
    """

    files: list[str] = field(default_factory=list)
    types: list[Type] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)
    common_errors: list[Error] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    event_type: Enumeration | None = None
    event: Struct | None = None
    operations: list[Operation] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    device_functions: list[DeviceFunctions] = field(default_factory=list)
    # The types that public headers declare, by C name.
    types_by_hand: dict[str, Place] = field(default_factory=dict)
    # Patterns for the names of internal functions, without libxl__. Language.idl_Internal
    # describes a pattern.
    internal: list[str] = field(default_factory=list)
    name: str = "libxl"
    soversion: int | None = None  # The SOVERSION of the library.
    base: Model | None = None

    def extension(self, name: str, files: Collection[str]) -> Model:
        """Returns the part of the model that these files declare. The `base` of the result is this
        whole model."""
        return replace(
            self,
            types=[t for t in self.types if t.place.file in files],
            errors=[e for e in self.errors if e.place.file in files],
            events=[e for e in self.events if e.place.file in files],
            event_type=None,
            event=None,
            operations=[o for o in self.operations if o.place.file in files],
            functions=[f for f in self.functions if f.place.file in files],
            device_functions=[d for d in self.device_functions if d.place.file in files],
            internal=[],
            name=name,
            base=self,
        )

    @property
    def whole(self) -> Model:
        """For an extension, the model that includes the library. Otherwise the model itself."""
        return self.base or self

    @property
    def public_operations(self) -> list[Operation]:
        """The operations that an application can start."""
        return [o for o in self.operations if not o.hidden]

    @property
    def enumerations(self) -> list[Enumeration]:
        return [t for t in self.types if isinstance(t, Enumeration)]

    @property
    def structs(self) -> list[Struct]:
        return [t for t in self.types if isinstance(t, Struct)]
