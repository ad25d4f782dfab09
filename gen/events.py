# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes two types from the events: the enumeration `event_type` and the struct `event`. The struct has a
union, whose key is the `event_type`."""

from __future__ import annotations

from gen import model as m
from gen.language_types import TYPES
from gen.model import Mistake, Place


def synthesise(model: m.Model, events: list[m.Event], prefix: str, place: Place) -> None:
    """Adds `event_type` and `event` to the model, after all other types."""
    named = {t.name: t for t in model.types}
    for needed in "domid", "uuid":
        if needed not in named:
            raise Mistake(place, f"Events: a type named {needed} is needed")
    model.event_type = event_type(events, prefix, place)
    model.event = event(events, model.event_type, named["domid"], named["uuid"])
    model.types += [model.event_type, model.event]


def event_type(events: list[m.Event], prefix: str, place: Place) -> m.Enumeration:
    stem = f"{prefix}event_type_".upper()
    values = [
        m.EnumValue(
            value=e.number,
            name=e.name.upper(),
            c_name=stem + e.name.upper(),
            place=e.place,
            doc=e.doc,
            aliases=tuple(stem + a.upper() for a in e.aliases),
        )
        for e in events
    ]
    return m.Enumeration(
        name="event_type",
        namespace=prefix,
        value_namespace=prefix,
        place=place,
        doc="What kind of event it is.",
        since=events[0].since,
        values=values,
    )


def event(events: list[m.Event], key: m.Enumeration, domid: m.Type, uuid: m.Type) -> m.Struct:
    place, prefix = key.place, key.namespace
    keyvar = m.Field(name="type", type=key, place=place, doc="Which arm of u counts.")
    arms = m.KeyedUnion(name=None, place=place, keyvar=keyvar)
    for declared, value in zip(events, key.values, strict=True):
        carried = (
            m.Struct(name=None, place=declared.place, fields=declared.fields) if declared.fields else None
        )
        arms.fields.append(
            m.Field(name=declared.name, type=carried, place=declared.place, doc=declared.doc, value=value)
        )
    link = m.Builtin(name="ev_link", namespace=prefix, place=place, private=True)
    uint64 = TYPES["uint64"]
    assert isinstance(uint64, m.Type)

    def field(name: str, kind: m.Type, doc: str) -> m.Field:
        return m.Field(name=name, type=kind, place=place, doc=doc)

    return m.Struct(
        name="event",
        namespace=prefix,
        place=place,
        doc="Something that has happened.",
        since=key.since,
        dir=m.DIR_OUT,
        passby=m.PASS_BY_REFERENCE,
        init_fn=f"{prefix}event_init",
        dispose_fn=f"{prefix}event_dispose",
        copy_fn=f"{prefix}event_copy",
        fields=[
            field("link", link, "For the holder's own list."),
            field("domid", domid, "The domain it is about."),
            field("domuuid", uuid, "That domain's identity."),
            field("for_user", uint64, "What the application gave when it asked."),
            field("u", arms, ""),
        ],
    )
