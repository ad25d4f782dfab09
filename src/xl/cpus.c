/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads lists of processors: the keys cpus and cpus_soft. Owns nothing; takes no lock. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

#include "devices.h"

/*
 * The number of processors that is assumed if the host is not known. A set may contain processors that the
 * host does not have.
 */
enum { UNKNOWN_HOST = 512 };

typedef struct range {
    bool nodes, excluded, all;
    long first, last;
} range;

/* Reads [^][node:|nodes:](all | N | N-N). Returns true, or false if the text has another form. */
static bool read_range(const char *s, range *out)
{
    char *end;
    *out = (range){0};
    if (*s == '^') {
        out->excluded = true;
        s++;
    }
    if (strncmp(s, "node:", 5) == 0 || strncmp(s, "nodes:", 6) == 0) {
        out->nodes = true;
        s = strchr(s, ':') + 1;
    }
    if (strcmp(s, "all") == 0) {
        out->all = true;
        return !out->excluded;
    }
    if (*s < '0' || *s > '9')
        return false;
    out->first = out->last = strtol(s, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        out->last = strtol(end + 1, &end, 10);
    return !*end && out->first <= out->last && out->last < LIBXL__XL_MAX_CPUS;
}

static void set_node(libxl_bitmap *map, const libxl_bitmap *cpus, bool value)
{
    int cpu;
    libxl_for_each_set_bit(cpu, *cpus)(value ? libxl_bitmap_set : libxl_bitmap_reset)(map, cpu);
}

/*
 * Adds a range to the set, or removes it from the set. Returns true, or false if the range names nodes and
 * the host is not known.
 */
static bool apply(const libxl_xl_host *host, const range *r, libxl_bitmap *map)
{
    const int nodes = host ? host->num_nodes : 0;
    if (r->all && !nodes) {
        for (int cpu = 0; cpu < UNKNOWN_HOST; cpu++)
            libxl_bitmap_set(map, cpu);
        return true;
    }
    if (r->nodes && !nodes)
        return false;
    if (r->all || r->nodes) {
        for (int node = 0; node < nodes; node++)
            if (r->all || (node >= r->first && node <= r->last))
                set_node(map, &host->nodes[node].cpus, !r->excluded);
        return true;
    }
    for (long cpu = r->first; cpu <= r->last; cpu++)
        (r->excluded ? libxl_bitmap_reset : libxl_bitmap_set)(map, (int)cpu);
    return true;
}

/* Shrinks a bitmap to the least number of octets that has room for its highest bit. */
static void shrink(libxl__xl *x, libxl_bitmap *map)
{
    uint32_t size = map->size;
    while (size && !map->map[size - 1])
        size--;
    libxl_bitmap smaller;
    libxl_bitmap_init(&smaller);
    if (libxl_bitmap_alloc(NULL, &smaller, (int)size * 8)) {
        libxl__xl_no_memory(x);
        return;
    }
    libxl_bitmap_copy(NULL, &smaller, map);
    libxl_bitmap_dispose(map);
    *map = smaller;
}

/* Reads a list such as "0-3,^1,node:2" into an empty bitmap. */
static void read_list(libxl__xl *x, const char *key, const libxl__xl_text *text, libxl_bitmap *map)
{
    static const libxl__xl_style style = {.skipped = " "};
    libxl__xl_param param;
    if (libxl_bitmap_alloc(NULL, map, LIBXL__XL_MAX_CPUS)) {
        libxl__xl_no_memory(x);
        return;
    }
    int parts = 0;
    for (size_t at = 0; libxl__xl_param_next(x, text, &style, &at, &param); parts++) {
        range r;
        if (parts == LIBXL__XL_MAX_CPUS) {
            libxl__xl_error(x, libxl__xl_place_in(&param.place, 0), "%s: more than %d parts", key, parts);
            break;
        }
        if (!param.key[0] && !param.text.text)
            continue;
        if (param.text.text || !read_range(param.key, &r))
            libxl__xl_error(x, libxl__xl_place_in(&param.place, 0),
                            "%s: processors such as 0-3, ^1, node:0 or all are expected, not '%.40s'", key,
                            param.key);
        else if (!apply(x->host, &r, map))
            libxl__xl_error(x, libxl__xl_place_in(&param.place, 0), "%s: the host's nodes are not known",
                            key);
    }
    if (!x->rc && libxl_bitmap_is_empty(map))
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: no processor is left", key);
    shrink(x, map);
}

void libxl__xl_read_cpus(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_build_info *b = &((libxl_domain_config *)object)->b_info;
    const bool soft = field->name[4] == '_';
    const int vcpus = b->max_vcpus ? b->max_vcpus : 1;
    libxl_bitmap **maps = soft ? &b->vcpu_soft_affinity : &b->vcpu_hard_affinity;
    int *count = soft ? &b->num_vcpu_soft_affinity : &b->num_vcpu_hard_affinity;
    if (!text->text || soft)
        libxl_defbool_set(&b->numa_placement, false);
    *maps = calloc((size_t)vcpus, sizeof(**maps));
    if (!*maps) {
        libxl__xl_no_memory(x);
        return;
    }
    if (text->text) {
        read_list(x, field->name, text, *maps);
        for (*count = 1; *count < vcpus && x->rc != ERROR_NOMEM; ++*count) {
            libxl_bitmap *map = &(*maps)[*count];
            if (libxl_bitmap_alloc(NULL, map, (int)(*maps)->size * 8))
                libxl__xl_no_memory(x);
            libxl_bitmap_copy(NULL, map, *maps);
        }
        return;
    }
    const libxl__xl_value *next = text->value->items;
    libxl__xl_text item;
    while (libxl__xl_item(x, field->name, &next, &item)) {
        if (*count == vcpus) {
            libxl__xl_doubt(x, libxl__xl_place_in(&item, 0), "%s: the domain has only %d processors",
                            field->name, vcpus);
            break;
        }
        read_list(x, field->name, &item, &(*maps)[(*count)++]);
    }
    if (!*count) {
        free(*maps);
        *maps = NULL;
    }
}
