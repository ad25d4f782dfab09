# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes libxl's synchronous functions for classes of devices: include/_libxl_devices.h with the prototypes,
and src/_libxl_device_functions.h with the functions.

src/lib/devices.c includes the second file. Before the inclusion it has the function that finds the states of
a device. After the inclusion it has the functions that the included text declares and does not define.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from gen import c
from gen import model as m

INTRODUCTION = (
    "libxl's synchronous functions for the devices of a domain. Each function runs operations of this "
    "library and waits for them. The function's comment begins with the operations' names. The operations "
    "can also be called asynchronously. Any thread may call the functions. After an error, "
    "libxl_error_message has the reason. While a function waits, callbacks and event hooks may run on the "
    "calling thread, as in any synchronous call."
)
SUBJECT = """\
libxl's functions for classes of devices. Included by src/lib/devices.c, which has, before it:

  static int take_status(libxl_ctx *ctx, uint32_t domid, const char *kind, int devid,
                         libxl_device_status *status);"""

# STATES is the operation that gives the states of all devices of a domain. STATUS has, for each field of a
# class's info, the member of a device's states that has the field's value. None: the value is the domain's
# number.
STATES = "domain_list_devices"
STATUS = {
    "backend": "backend",
    "backend_id": "backend_domid",
    "frontend": "frontend",
    "frontend_id": None,
    "devid": "devid",
    "state": "frontend_state",
    "evtch": "event_channel",
    "rref": "ring_ref",
    "rref_tx": "ring_ref",
    "rref_rx": "rx_ring_ref",
}


LIST = Template("""\
$list
{
    $list_type list;

    *num = 0;
    if ($listing(ctx, domid, &list, NULL))
        return NULL;
    *num = list.$count;
    if (*num)
        return list.$array;
    $dispose_list(&list);
    return NULL;
}

$list_free
{
    $dispose_list(&($list_type){.$array = list, .$count = num});
}

/* Stores a copy of the first device for which `fits` returns true. Errors: NOTFOUND, without a message. */
$find
{
    $list_type list;
    int rc = $listing(ctx, domid, &list, NULL);

    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; i < list.$count && rc; i++)
        if (fits(&list.$array[i], wanted)) {
            $init(found);
            $copy(ctx, found, &list.$array[i]);
            rc = 0;
        }
    $dispose_list(&list);
    return rc;
}
""")
BY_DEVID = Template("""\
static bool is_$name(const $config *$name, const void *wanted)
{
    return $name->devid >= 0 && $name->devid == *(const int *)wanted;
}

$devid_to_device
{
    const int rc = find_$name(ctx, domid, is_$name, &devid, $name);

    if (rc == ERROR_NOTFOUND)
        libxl__refuse(rc, "domain %u has no $name %d", domid, devid);
    return rc;
}
""")


def outputs(model: m.Model) -> dict[str, str]:
    if not model.device_functions:
        return {}
    public = [c.comment(INTRODUCTION), *map(prototypes, model.device_functions)]
    internal = [definitions(d) for d in model.device_functions]
    head = c.banner("The devices of a domain." + c.included(model))
    name = model.name
    return {
        f"include/_{name}_devices.h": head + c.guarded(f"{name}__DEVICES_H", "\n".join(public)),
        f"src/_{name}_device_functions.h": c.banner(SUBJECT)
        + c.guarded(f"{name}__DEVICE_FUNCTIONS_H", "\n".join(internal)),
    }


def functions(d: m.DeviceFunctions) -> dict[str, str]:
    """Returns the C heads of the functions of a class, by the functions' purpose. The last function is
    static if programs do not call it."""
    config, name, space = d.config.c_name, d.name, d.namespace
    domain = ["libxl_ctx *ctx", "uint32_t domid"]
    info = [f"const {config} *{name}", f"{d.info.c_name} *{name}info"]
    heads = {
        "list": c.prototype(f"{config} *", f"{space}device_{name}_list", [*domain, "int *num"]),
        "list_free": c.prototype("void", f"{space}device_{name}_list_free", [f"{config} *list", "int num"]),
        "getinfo": c.prototype("int", f"{space}device_{name}_getinfo", [*domain, *info]),
    }
    returned = "int" if d.by_devid else "static int"
    found = [*domain, "int devid", f"{config} *{name}"]
    heads["devid_to_device"] = c.prototype(returned, by_devid_name(d), found)
    return heads


def more(d: m.DeviceFunctions) -> list[str]:
    """Returns the fields of the class's info that are not in the states of a device. The name of a union is
    that of its key."""
    fields = [f for f in d.info.fields if f.name not in STATUS]
    return [f.type.keyvar.name if isinstance(f.type, m.KeyedUnion) else f.name for f in fields]


def prototypes(d: m.DeviceFunctions) -> str:
    heads, name = functions(d), d.name
    also = f"{d.listing.name} and " * bool(more(d))
    stored = "".join(f"the {field} and " for field in more(d))
    text = c.comment(
        f"Runs {d.listing.name}. Returns an array of the domain's {d.many} and stores their number in *num. "
        f"The caller frees the array with {d.namespace}device_{name}_list_free. Returns NULL after an error, "
        f"and if there are no {d.many}."
    )
    text += f"{heads['list']};\n{heads['list_free']};\n"
    text += c.comment(
        f"Runs {also}{STATES}. Stores {stored}the states of the {d.one} that {name}->{d.by} identifies. The "
        f"caller disposes of *{name}info. Errors: NOTFOUND, {'INVAL, ' * d.by_text}and those of the "
        f"operation{'s' * bool(more(d))}."
    )
    text += f"{heads['getinfo']};\n"
    if d.by_devid:
        text += c.comment(
            f"Runs {d.listing.name}. Stores the configuration of the {d.one} with this devid. The caller "
            f"disposes of *{name}. Errors: NOTFOUND, and those of the operation."
        )
        text += f"{heads['devid_to_device']};\n"
    return text


def definitions(d: m.DeviceFunctions) -> str:
    parts = [LIST.substitute(words(d))]
    if d.by_devid or more(d):
        parts.append(BY_DEVID.substitute(words(d)))
    return c.section(d.name) + "\n" + "\n".join([*parts, *getinfo(d)])


def words(d: m.DeviceFunctions) -> dict[str, str]:
    """Returns the texts that replace the names in the templates."""
    fits = f"bool (*fits)(const {d.config.c_name} *, const void *)"
    found = ["libxl_ctx *ctx", "uint32_t domid", fits, "const void *wanted", f"{d.config.c_name} *found"]
    return functions(d) | {
        "name": d.name,
        "config": d.config.c_name,
        "listing": d.listing.c_name,
        "list_type": d.list_type.c_name,
        "array": d.array_name,
        "count": d.array.lenvar.name,
        "dispose_list": f"{d.list_type.dispose_fn}",
        "init": f"{d.config.init_fn}",
        "copy": f"{d.config.copy_fn}",
        "find": c.prototype("static int", f"find_{d.name}", found),
    }


def by_devid_name(d: m.DeviceFunctions) -> str:
    return f"{d.namespace}devid_to_device_{d.name}" if d.by_devid else f"devid_to_device_{d.name}"


def getinfo(d: m.DeviceFunctions) -> Iterator[str]:
    """Yields the function getinfo, after the prototypes of the hand-written functions that it calls."""
    name, config, info = d.name, d.config.c_name, f"{d.name}info"
    identity = devid = f"{name}->{d.by}"
    body = ["libxl_device_status status;", *[f"{config} found;"] * bool(more(d))]
    body += ["", f"{d.info.init_fn}({info});"]
    if d.by_text:
        devid = "devid"
        head = c.prototype("static int", f"{name}_devid", [f"const {config} *{name}"])
        yield f"/* Returns the number of the device, or an error. */\n{head};\n"
        body += [f"const int devid = {name}_devid({name});", "if (devid < 0)", "    return devid;"]
    message = f"domain %u has no {name} {'%s' if d.by_text else '%d'}"
    refusal = ["if (rc == ERROR_NOTFOUND)", f'    libxl__refuse(rc, "{message}", domid, {identity});']
    status = f'take_status(ctx, domid, "{d.kind}", {devid}, &status)'
    if more(d):
        given = ["libxl_ctx *ctx", "uint32_t domid", f"const {config} *{name}", f"{d.info.c_name} *{info}"]
        head = c.prototype("static int", f"{name}_more", given)
        comment = "/* Sets the fields that are not in the states of a device. Returns 0 or an error. */"
        yield f"{comment}\n{head};\n"
        body += [f"int rc = {by_devid_name(d)}(ctx, domid, {identity}, &found);", "if (rc)", "    return rc;"]
        body += [f"rc = {status};", *refusal, "if (!rc) {", *assigned(d)]
        body += [f"    rc = {name}_more(ctx, domid, &found, {info});", "    if (rc)"]
        body += [f"        {d.info.dispose_fn}({info});", "}", f"{d.config.dispose_fn}(&found);"]
    else:
        body += [f"const int rc = {status};", *refusal, "if (!rc)", *assigned(d)]
    body.append("return rc;")
    yield c.function(functions(d)["getinfo"], "".join(f"{line}\n" for line in body))


def assigned(d: m.DeviceFunctions) -> list[str]:
    """Returns the statement that sets the fields of the info that are in the states of a device."""
    sources = {name: f"status.{member}" if member else "domid" for name, member in STATUS.items()}
    fields = [f"        .{f.name} = {sources[f.name]}," for f in d.info.fields if f.name in sources]
    return [f"    *{d.name}info = ({d.info.c_name}){{", *fields, "    };"]
