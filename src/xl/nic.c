/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and writes specifications of network interfaces, xl-network-configuration(5). Owns nothing; takes no
 * lock.
 */
#include "devices.h"

#include <stdlib.h>
#include <string.h>

#define NIC(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_nic, f)
#define COLO(f)                                                                                              \
    {                                                                                                        \
        NIC("colo_" #f, TEXT, colo_##f)                                                                      \
    }

static const libxl__xl_word types[] = {
    {"vif", LIBXL_NIC_TYPE_VIF}, {"ioemu", LIBXL_NIC_TYPE_VIF_IOEMU}, {NULL, 0}};

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Reads six hexadecimal numbers of one or two digits, separated by ':' or '-'. */
static void read_mac(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_device_nic *nic = object;
    const char *s = text->text;
    libxl_mac mac;
    for (size_t i = 0; i < sizeof(mac); i++) {
        if (i && *s != ':' && *s != '-')
            goto wrong;
        s += i > 0;
        if (hex(*s) < 0)
            goto wrong;
        mac[i] = (uint8_t)hex(*s++);
        if (hex(*s) >= 0)
            mac[i] = (uint8_t)(mac[i] << 4 | hex(*s++));
    }
    memcpy(nic->mac, mac, sizeof(mac));
    if (!s[strspn(s, " \t")])
        return;
wrong:
    libxl__xl_doubt(x, libxl__xl_place_in(text, (size_t)(s - text->text)),
                    "vif: %s: six hexadecimal octets with colons are expected, not '%.40s'", field->name,
                    text->text);
}

/*
 * Reads a decimal number, and moves *s behind the number. Returns the number. Returns 0 if it is missing or
 * too large.
 */
static uint64_t digits(const char **s, uint64_t most)
{
    uint64_t n = 0;
    for (; **s >= '0' && **s <= '9'; ++*s)
        n = n > most ? n : n * 10 + (uint64_t)(**s - '0');
    return n > most ? 0 : n;
}

typedef struct unit {
    const char *name;
    uint64_t factor, divisor;
} unit;

static const unit rates[] = {
    {"GB/s", 1000000000, 1}, {"MB/s", 1000000, 1}, {"KB/s", 1000, 1}, {"B/s", 1, 1},
    {"Gb/s", 1000000000, 8}, {"Mb/s", 1000000, 8}, {"Kb/s", 1000, 8}, {"b/s", 1, 8},
};
static const unit intervals[] = {{"us", 1, 1}, {"ms", 1000, 1}, {"s", 1000000, 1}, {"", 1000000, 1}};

static const unit *find_unit(const unit *units, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(units[i].name) == length && strncmp(units[i].name, name, length) == 0)
            return &units[i];
    return NULL;
}
#define FIND_UNIT(units, name, length) find_unit(units, sizeof(units) / sizeof(*(units)), name, length)

/* Reads RATE[@INTERVAL]. Stores the interval and the number of octets in each interval. */
static void read_rate(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    enum { DEFAULT_INTERVAL = 50000, MICROSECONDS = 1000000 };
    libxl_device_nic *nic = object;
    const char *s = text->text;
    uint64_t interval = DEFAULT_INTERVAL, rate = digits(&s, UINT32_MAX);
    const size_t length = strcspn(s, "@");
    const unit *u = FIND_UNIT(rates, s, length);
    const char *at = s + length;
    if (u && *at) {
        const char *t = at + 1;
        interval = digits(&t, UINT32_MAX);
        const unit *v = t == at + 1 ? NULL : FIND_UNIT(intervals, t, strlen(t));
        interval = v ? interval * v->factor : 0;
    }
    if (s == text->text || !u) {
        libxl__xl_error(
            x, libxl__xl_place_in(text, (size_t)(s - text->text)),
            "vif: %s: a number with GB/s, MB/s, KB/s, B/s, Gb/s, Mb/s, Kb/s or b/s is expected, not "
            "'%.40s'",
            field->name, text->text);
    } else if (!interval || interval > UINT32_MAX) {
        libxl__xl_error(x, libxl__xl_place_in(text, (size_t)(at + 1 - text->text)),
                        "vif: %s: a time with us, ms or s is expected, not '%.40s'", field->name, at + 1);
    } else if (!rate || rate > UINT64_MAX / u->factor ||
               rate * u->factor / u->divisor > UINT64_MAX / interval) {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "vif: %s: '%.40s' is 0 or too much", field->name,
                        text->text);
    } else {
        nic->rate_bytes_per_interval = rate * u->factor / u->divisor * interval / MICROSECONDS;
        nic->rate_interval_usecs = (uint32_t)interval;
    }
}

static void read_type(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    const libxl__xl_word *word = libxl__xl_word_named(types, text->text, false);
    if (word)
        ((libxl_device_nic *)object)->nictype = (libxl_nic_type)word->value;
    else
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "vif: %s: '%.40s' is not one of vif, ioemu",
                        field->name, text->text);
}

static void write_mac(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    (void)base;
    fprintf(out, LIBXL_MAC_FMT, LIBXL_MAC_BYTES((const uint8_t *)object + field->offset));
}

/* Writes the lowest rate that a reader converts to the same number of octets in each interval. */
static void write_rate(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    enum { MICROSECONDS = 1000000 };
    const libxl_device_nic *nic = object;
    const unsigned __int128 octets = nic->rate_bytes_per_interval;
    const uint32_t interval = nic->rate_interval_usecs ? nic->rate_interval_usecs : 1;
    const unsigned __int128 rate = (octets * MICROSECONDS + interval - 1) / interval;
    (void)base;
    (void)field;
    /* xl accepts no number of more than 32 bits. */
    unsigned long long n = rate ? (unsigned long long)rate : 1;
    const char *prefix = "";
    for (const char *const *next = (const char *const[]){"K", "M", "G", NULL}; *next && n % 1000 == 0;
         next++) {
        prefix = *next;
        n /= 1000;
    }
    fprintf(out, "%llu%sB/s@%uus", n, prefix, nic->rate_interval_usecs);
}

static void write_type(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    (void)base;
    (void)field;
    fputs(((const libxl_device_nic *)object)->nictype == LIBXL_NIC_TYPE_VIF ? "vif" : "ioemu", out);
}

static const libxl__xl_field parameters[] = {
    {NIC("mac", SPECIAL, mac), .read = read_mac, .write = write_mac},
    {NIC("bridge", TEXT, bridge)},
    {NIC("gatewaydev", TEXT, gatewaydev)},
    {NIC("netdev", TEXT, gatewaydev), .alias = true, .note = "this name is deprecated; use gatewaydev"},
    {NIC("type", SPECIAL, nictype), .read = read_type, .write = write_type},
    {NIC("model", TEXT, model)},
    {NIC("vifname", TEXT, ifname)},
    {NIC("script", TEXT, script)},
    {NIC("ip", TEXT, ip)},
    {NIC("backend", TEXT, backend_domname)},
    {NIC("rate", SPECIAL, rate_interval_usecs), .read = read_rate, .write = write_rate},
    {NIC("devid", INTEGER, devid), .strict = true},
    {NIC("mtu", INTEGER, mtu), .strict = true},
    {NIC("trusted", SWITCH, trusted), .max = true},
    {NIC("untrusted", SWITCH, trusted), .max = false},
    {NIC("accel", NOTHING, mtu), .note = "has no effect"},
    {NIC("forwarddev", TEXT, coloft_forwarddev)},
    COLO(sock_mirror_id),
    COLO(sock_mirror_ip),
    COLO(sock_mirror_port),
    COLO(sock_compare_pri_in_id),
    COLO(sock_compare_pri_in_ip),
    COLO(sock_compare_pri_in_port),
    COLO(sock_compare_sec_in_id),
    COLO(sock_compare_sec_in_ip),
    COLO(sock_compare_sec_in_port),
    COLO(sock_compare_notify_id),
    COLO(sock_compare_notify_ip),
    COLO(sock_compare_notify_port),
    COLO(sock_redirector0_id),
    COLO(sock_redirector0_ip),
    COLO(sock_redirector0_port),
    COLO(sock_redirector1_id),
    COLO(sock_redirector1_ip),
    COLO(sock_redirector1_port),
    COLO(sock_redirector2_id),
    COLO(sock_redirector2_ip),
    COLO(sock_redirector2_port),
    COLO(filter_mirror_queue),
    COLO(filter_mirror_outdev),
    COLO(filter_redirector0_queue),
    COLO(filter_redirector0_indev),
    COLO(filter_redirector0_outdev),
    COLO(filter_redirector1_queue),
    COLO(filter_redirector1_indev),
    COLO(filter_redirector1_outdev),
    COLO(compare_pri_in),
    COLO(compare_sec_in),
    COLO(compare_out),
    COLO(compare_notify_dev),
    COLO(sock_sec_redirector0_id),
    COLO(sock_sec_redirector0_ip),
    COLO(sock_sec_redirector0_port),
    COLO(sock_sec_redirector1_id),
    COLO(sock_sec_redirector1_ip),
    COLO(sock_sec_redirector1_port),
    COLO(filter_sec_redirector0_queue),
    COLO(filter_sec_redirector0_indev),
    COLO(filter_sec_redirector0_outdev),
    COLO(filter_sec_redirector1_queue),
    COLO(filter_sec_redirector1_indev),
    COLO(filter_sec_redirector1_outdev),
    COLO(filter_sec_rewriter0_queue),
    COLO(checkpoint_host),
    COLO(checkpoint_port),
    {.name = NULL},
};

static const libxl__xl_style style = {.skipped = " "};

/* Stores a default of the host, unless the file has a value. */
static void take_default(libxl__xl *x, char **where, const char *value)
{
    if (!*where && value)
        libxl__xl_put_string(x, where, value);
}

void libxl__xl_read_nic(libxl__xl *x, libxl_device_nic *nic, const libxl__xl_text *spec)
{
    libxl__xl_params(x, nic, "vif", spec, &style, parameters, LIBXL__XL_DOUBT);
    if (!x->host)
        return;
    take_default(x, &nic->script, x->host->vif_script);
    take_default(x, &nic->bridge, x->host->vif_bridge);
    take_default(x, &nic->gatewaydev, x->host->vif_gatewaydev);
    take_default(x, &nic->backend_domname, x->host->vif_backend);
}

void libxl__xl_write_nic(FILE *out, const libxl_device_nic *nic, int index)
{
    libxl_device_nic base;
    libxl_device_nic_init(&base);
    base.devid = index;
    libxl__xl_write_params(out, nic, &base, parameters, NULL);
}
