/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads specifications of disks, xl-disk-configuration(5). Also reads the old forms "phy:TARGET,VDEV,ACCESS"
 * and ",VDEV:cdrom,r". Owns nothing; takes no lock.
 */
#include "devices.h"

#include <string.h>

#define DISK(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_disk, f)

static const libxl__xl_word formats[] = {
    {"raw", LIBXL_DISK_FORMAT_RAW},     {"qcow", LIBXL_DISK_FORMAT_QCOW},
    {"qcow2", LIBXL_DISK_FORMAT_QCOW2}, {"vhd", LIBXL_DISK_FORMAT_VHD},
    {"qed", LIBXL_DISK_FORMAT_QED},     {"empty", LIBXL_DISK_FORMAT_EMPTY},
    {"", LIBXL_DISK_FORMAT_RAW},        {NULL, 0},
};
static const libxl__xl_word backends[] = {
    {"phy", LIBXL_DISK_BACKEND_PHY},
    {"qdisk", LIBXL_DISK_BACKEND_QDISK},
    {"standalone", LIBXL_DISK_BACKEND_STANDALONE},
    {"tap", LIBXL_DISK_BACKEND_TAP},
    {NULL, 0},
};
static const libxl__xl_word specifications[] = {
    {"xen", LIBXL_DISK_SPECIFICATION_XEN},
    {"virtio", LIBXL_DISK_SPECIFICATION_VIRTIO},
    {NULL, 0},
};
static const libxl__xl_word accesses[] = {{"w", 1}, {"rw", 1}, {"r", 0}, {"ro", 0}, {"", 1}, {NULL, 0}};
static const libxl__xl_word types[] = {{"cdrom", 1}, {"disk", 0}, {NULL, 0}};

/* The parameters of a disk that can be given by their position, without a name. */
enum { TARGET, FORMAT, VDEV, ACCESS, POSITIONS };
static const libxl__xl_field parameters[] = {
    [TARGET] = {DISK("target", TEXT, pdev_path)},
    [FORMAT] = {DISK("format", ENUM, format), .words = formats},
    [VDEV] = {DISK("vdev", TEXT, vdev)},
    [ACCESS] = {DISK("access", ENUM, readwrite), .words = accesses},
    {DISK("devtype", ENUM, is_cdrom), .words = types},
    {DISK("backend", TEXT, backend_domname)},
    {DISK("backendtype", ENUM, backend), .words = backends},
    {DISK("script", TEXT, script)},
    {DISK("specification", ENUM, specification), .words = specifications},
    {DISK("colo-host", TEXT, colo_host)},
    {DISK("colo-port", INTEGER, colo_port), .strict = true},
    {DISK("colo-export", TEXT, colo_export)},
    {DISK("active-disk", TEXT, active_disk)},
    {DISK("hidden-disk", TEXT, hidden_disk)},
    {DISK("cdrom", FLAG, is_cdrom), .max = true, .alias = true},
    {DISK("direct-io-safe", FLAG, direct_io_safe), .max = true},
    {DISK("discard", SWITCH, discard_enable), .max = true},
    {DISK("no-discard", SWITCH, discard_enable), .max = false},
    {DISK("colo", SWITCH, colo_enable), .max = true},
    {DISK("no-colo", SWITCH, colo_enable), .max = false},
    {DISK("trusted", SWITCH, trusted), .max = true},
    {DISK("untrusted", SWITCH, trusted), .max = false},
    {.name = NULL},
};
enum { PARAMETERS = sizeof(parameters) / sizeof(*parameters) };

static const libxl__xl_style style = {.skipped = " \t\n", .rest = "target"};

typedef struct reader {
    libxl__xl *x;
    libxl_device_disk *disk;
    const libxl__xl_text *spec;
    unsigned given;       /* the parameters that have a value: one bit for each parameter */
    unsigned position;    /* the parameter that the next word without a name sets */
    bool old;             /* the specification has the old form, which has no format */
    libxl__xl_place vdev; /* the place of an empty vdev */
} reader;

static libxl__xl_place start(const reader *r)
{
    return libxl__xl_place_in(r->spec, 0);
}

static void put(reader *r, unsigned index, const libxl__xl_text *text)
{
    const libxl__xl_field *field = &parameters[index];
    const bool empty = text->text && !text->text[0];
    const bool again = r->given & (1u << index);
    if (again && index == ACCESS)
        libxl__xl_doubt(r->x, libxl__xl_place_in(text, 0), "disk: access is given twice");
    else if (again && !libxl__xl_is_flag(field))
        libxl__xl_error(r->x, libxl__xl_place_in(text, 0), "disk: %s is given twice", field->name);
    if (!empty || index == FORMAT)
        r->given |= 1u << index;
    if (empty && index == VDEV)
        r->vdev = libxl__xl_place_in(text, 0);
    libxl__xl_put(r->x, r->disk, field, text);
}

/* ---- reading the old forms */

static const struct prefix {
    const char *name;
    const char *format;
    const char *script;
} prefixes[] = {
    {"phy:", NULL, NULL},        {"file:", NULL, NULL},         {"tap:", NULL, NULL},
    {"tap2:", NULL, NULL},       {"tapdisk:", NULL, NULL},      {"aio:", NULL, NULL},
    {"ioemu:", NULL, NULL},      {"raw:", "raw", NULL},         {"qcow:", "qcow", NULL},
    {"qcow2:", "qcow2", NULL},   {"vhd:", "vhd", NULL},         {"iscsi:", NULL, "block-iscsi"},
    {"nbd:", NULL, "block-nbd"}, {"enbd:", NULL, "block-enbd"}, {"drbd:", NULL, "block-drbd"},
};
enum { PREFIXES = sizeof(prefixes) / sizeof(*prefixes), SCRIPT = 7 };

static void put_prefix(reader *r, const struct prefix *prefix, const libxl__xl_text *at)
{
    libxl__xl_text text = *at;
    r->old = true;
    text.text = prefix->format;
    if (text.text && r->given & (1u << FORMAT)) {
        if (strcmp(prefix->format, formats[0].word) != 0 || r->disk->format != LIBXL_DISK_FORMAT_RAW)
            if (libxl__xl_word_named(formats, prefix->format, false)->value != (int)r->disk->format)
                libxl__xl_error(r->x, libxl__xl_place_in(at, 0), "disk: format is given twice");
    } else if (text.text) {
        put(r, FORMAT, &text);
    }
    text.text = prefix->script;
    if (text.text)
        put(r, SCRIPT, &text);
}

/*
 * Removes the prefixes of a target, such as "phy:", and stores their meaning. Returns the text after the
 * prefixes.
 */
static libxl__xl_text without_prefixes(reader *r, const libxl__xl_text *target)
{
    libxl__xl_text rest = *target;
    for (size_t i = 0; i < PREFIXES;) {
        const size_t length = strlen(prefixes[i].name);
        if (strncmp(rest.text, prefixes[i].name, length) != 0) {
            i++;
            continue;
        }
        put_prefix(r, &prefixes[i], &rest);
        rest.text += length;
        rest.offset += length;
        i = 0;
    }
    const size_t word = strspn(rest.text, "abcdefghijklmnopqrstuvwxyz0123456789");
    if (word && rest.text[0] > '9' && strncmp(rest.text + word, ":/", 2) == 0)
        libxl__xl_error(r->x, libxl__xl_place_in(&rest, 0), "disk: unknown prefix '%.*s:'",
                        word < 20 ? (int)word : 20, rest.text);
    return rest;
}

/* Splits "VDEV:TYPE". Returns true, or false if the text does not have this form. */
static bool split_type(reader *r, libxl__xl_text *vdev)
{
    const char *colon = strrchr(vdev->text, ':');
    if (!colon || colon == vdev->text)
        return false;
    const size_t length = (size_t)(colon - vdev->text);
    const libxl__xl_text type = {vdev->value, vdev->offset + length + 1, colon + 1};
    if (!libxl__xl_word_named(types, type.text, false)) {
        libxl__xl_error(r->x, libxl__xl_place_in(&type, 0), "disk: '%.40s' is not one of cdrom, disk",
                        type.text);
        return true;
    }
    r->disk->is_cdrom = type.text[0] == 'c';
    const char *name = libxl__xl_copy(r->x, vdev->text, length);
    vdev->text = name ? name : "";
    return true;
}

/* ---- reading words without a name */

static void positional(reader *r, const libxl__xl_text *word)
{
    libxl__xl_text text = *word;
    while (r->position < POSITIONS && r->given & (1u << r->position))
        r->position++;
    if (r->position == TARGET)
        text = without_prefixes(r, &text);
    else if (r->position == FORMAT && r->disk->pdev_path && !r->disk->pdev_path[0] &&
             !libxl__xl_word_named(formats, text.text, false) && split_type(r, &text)) {
        const libxl__xl_text empty = {text.value, text.offset, "empty"};
        put(r, FORMAT, &empty);
        r->position = VDEV;
    } else if (r->position == VDEV)
        split_type(r, &text);
    if (r->position == POSITIONS) {
        if (text.text[0])
            libxl__xl_error(r->x, libxl__xl_place_in(&text, 0), "disk: '%.40s': too many words", text.text);
        return;
    }
    put(r, r->position, &text);
    r->position += r->position == TARGET && r->old ? 2 : 1;
}

static void read_param(reader *r, const libxl__xl_param *param)
{
    const libxl__xl_field *field = libxl__xl_field_named(parameters, param->key);
    const bool is_flag = field && libxl__xl_is_flag(field);
    if (field && is_flag == !param->text.text)
        put(r, (unsigned)(field - parameters), is_flag ? &param->place : &param->text);
    else if (param->text.text)
        libxl__xl_unknown(r->x, LIBXL__XL_ERROR, "disk", param, parameters);
    else
        positional(r, &param->place);
}

void libxl__xl_read_disk(libxl__xl *x, libxl_device_disk *disk, const libxl__xl_text *spec)
{
    reader r = {.x = x, .disk = disk, .spec = spec};
    libxl__xl_param param;
    disk->format = LIBXL_DISK_FORMAT_RAW;
    disk->readwrite = 1;
    for (size_t at = 0; libxl__xl_param_next(x, spec, &style, &at, &param);)
        read_param(&r, &param);
    if (!disk->vdev)
        libxl__xl_error(x, start(&r), "disk: vdev is missing");
    else if (!disk->vdev[0])
        libxl__xl_doubt(x, r.vdev, "disk: vdev is empty");
    if (disk->is_cdrom) {
        disk->removable = 1;
        disk->readwrite = 0;
        if (!disk->pdev_path || !disk->pdev_path[0])
            disk->format = LIBXL_DISK_FORMAT_EMPTY;
    } else if (!disk->pdev_path) {
        libxl__xl_error(x, start(&r), "disk: target is missing");
    }
}

void libxl__xl_write_disk(FILE *out, const libxl_device_disk *disk)
{
    libxl_device_disk base;
    libxl_device_disk_init(&base);
    base.format = LIBXL_DISK_FORMAT_RAW;
    base.readwrite = 1;
    libxl__xl_write_params(out, disk, &base, parameters, &parameters[TARGET]);
}
