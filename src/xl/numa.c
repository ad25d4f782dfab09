/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and writes virtual NUMA nodes: the key vnuma, whose value is a list of lists of "KEY=VALUE". Owns
 * nothing; takes no lock.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

#include "devices.h"

typedef struct reader {
    libxl__xl *x;
    const char *key;
    libxl_vnode_info *node;
    int nodes; /* the number of nodes in the file */
    bool has_pnode;
} reader;

/*
 * Reads a decimal number without a sign. Returns true. If the text has another form, records an error and
 * returns false.
 */
static bool number(reader *r, const libxl__xl_text *text, uint64_t most, uint64_t *out)
{
    char *end;
    const size_t blanks = strspn(text->text, " ");
    *out = strtoull(text->text + blanks, &end, 10);
    if (text->text[blanks] >= '0' && text->text[blanks] <= '9' && !*end && *out <= most)
        return true;
    libxl__xl_error(r->x, libxl__xl_place_in(text, 0), "%s: a decimal number is expected, not '%.40s'",
                    r->key, text->text);
    return false;
}

/* Reads a list of vcpus such as "0-3,5". */
static void read_vcpus(reader *r, const libxl__xl_text *text)
{
    static const libxl__xl_style style = {.skipped = " "};
    libxl__xl_param param;
    if (!r->node->vcpus.size && libxl_bitmap_alloc(NULL, &r->node->vcpus, LIBXL__XL_MAX_CPUS)) {
        libxl__xl_no_memory(r->x);
        return;
    }
    for (size_t at = 0; libxl__xl_param_next(r->x, text, &style, &at, &param);) {
        char *end = NULL;
        long first = param.key[0] >= '0' && param.key[0] <= '9' ? strtol(param.key, &end, 10) : -1,
             last = first;
        if (end && *end == '-' && end[1] >= '0' && end[1] <= '9')
            last = strtol(end + 1, &end, 10);
        if (!end || first < 0 || *end || last < first || last >= LIBXL__XL_MAX_CPUS) {
            libxl__xl_error(r->x, libxl__xl_place_in(&param.place, 0),
                            "%s: processors such as 0-3 are expected, not '%.40s'", r->key, param.key);
            continue;
        }
        for (long cpu = first; cpu <= last; cpu++)
            libxl_bitmap_set(&r->node->vcpus, (int)cpu);
    }
}

static void read_distances(reader *r, const libxl__xl_text *text)
{
    static const libxl__xl_style style = {.skipped = " ", .trims = true};
    libxl__xl_param param;
    int count = 0;
    for (size_t at = 0; libxl__xl_param_next(r->x, text, &style, &at, &param); count++) {
        uint64_t distance;
        if (number(r, &param.place, UINT32_MAX, &distance) && count < r->nodes)
            r->node->distances[count] = (uint32_t)distance;
    }
    if (count != r->nodes)
        libxl__xl_doubt(r->x, libxl__xl_place_in(text, 0),
                        "%s: one distance is expected for each of %d nodes", r->key, r->nodes);
}

static void read_option(reader *r, const libxl__xl_text *item)
{
    static const char *const names[] = {"pnode", "size", "vcpus", "vdistances"};
    uint64_t n;
    size_t which = 0;
    const size_t equals = strcspn(item->text, "="), length = equals - strspn(item->text, " ");
    const char *name = item->text + strspn(item->text, " ");
    if (!item->text[equals]) {
        libxl__xl_error(r->x, libxl__xl_place_in(item, 0), "%s: KEY=VALUE is expected, not '%.40s'", r->key,
                        item->text);
        return;
    }
    while (which < 4 && (strncmp(names[which], name, strlen(names[which])) != 0 ||
                         strspn(name + strlen(names[which]), " ") + strlen(names[which]) != length))
        which++;
    size_t start = equals + 1, end = strlen(item->text);
    while (item->text[start] == ' ')
        start++;
    while (end > start && item->text[end - 1] == ' ')
        end--;
    const char *value = libxl__xl_copy(r->x, item->text + start, end - start);
    const libxl__xl_text text = {item->value, item->offset + start, value ? value : ""};
    switch (which) {
    case 0:
        if (number(r, &text, UINT32_MAX, &n)) {
            r->node->pnode = (uint32_t)n;
            r->has_pnode = true;
        }
        break;
    case 1:
        if (number(r, &text, INT32_MAX, &n))
            r->node->memkb = n << 10;
        break;
    case 2: read_vcpus(r, &text); break;
    case 3: read_distances(r, &text); break;
    default:
        libxl__xl_doubt(r->x, libxl__xl_place_in(item, 0), "%s: unknown option '%.40s'", r->key, item->text);
    }
}

static void read_node(reader *r, const libxl__xl_value *list)
{
    libxl__xl_text item;
    libxl_vnode_info_init(r->node);
    r->node->memkb = 0;
    r->has_pnode = false;
    r->node->distances = calloc((size_t)r->nodes, sizeof(*r->node->distances));
    if (!r->node->distances) {
        libxl__xl_no_memory(r->x);
        return;
    }
    r->node->num_distances = r->nodes;
    const libxl__xl_value *next = list->items;
    while (libxl__xl_item(r->x, r->key, &next, &item))
        read_option(r, &item);
    if (!r->has_pnode || !r->node->memkb || libxl_bitmap_is_empty(&r->node->vcpus))
        libxl__xl_doubt(r->x, list->place, "%s: %s is missing", r->key,
                        !r->has_pnode     ? "pnode"
                        : !r->node->memkb ? "size"
                                          : "vcpus");
}

/*
 * Adds up the memory and the vcpus of all nodes. The nodes together have all memory and all vcpus of the
 * domain, so the sums are stored as maxmem and maxvcpus. If the file has the keys maxmem or maxvcpus, their
 * values must equal the sums.
 */
static void sum(libxl__xl *x, libxl_domain_build_info *b, libxl__xl_place place)
{
    uint64_t memory = 0;
    int vcpus = 0;
    libxl_bitmap all;
    libxl_bitmap_init(&all);
    if (libxl_bitmap_alloc(NULL, &all, LIBXL__XL_MAX_CPUS))
        libxl__xl_no_memory(x);
    for (int i = 0; i < b->num_vnuma_nodes; i++) {
        int cpu;
        memory += b->vnuma_nodes[i].memkb;
        vcpus += libxl_bitmap_count_set(&b->vnuma_nodes[i].vcpus);
        libxl_for_each_set_bit(cpu, b->vnuma_nodes[i].vcpus) libxl_bitmap_set(&all, cpu);
    }
    if (vcpus != libxl_bitmap_count_set(&all) && !x->rc)
        libxl__xl_error(x, place, "vnuma: a processor is in two nodes");
    libxl_bitmap_dispose(&all);
    if (libxl__xl_find(x->settings, "maxvcpus") && vcpus != b->max_vcpus)
        libxl__xl_error(x, place, "vnuma: the nodes have %d processors, but maxvcpus is %d", vcpus,
                        b->max_vcpus);
    if (libxl__xl_find(x->settings, "maxmem") && memory != b->max_memkb)
        libxl__xl_error(x, place, "vnuma: the nodes have %llu MiB, which is not maxmem",
                        (unsigned long long)memory >> 10);
    b->max_vcpus = vcpus;
    b->max_memkb = memory;
}

void libxl__xl_read_vnuma(libxl__xl *x, void *object, const libxl__xl_field *field,
                          const libxl__xl_text *text)
{
    libxl_domain_build_info *b = &((libxl_domain_config *)object)->b_info;
    reader r = {.x = x, .key = field->name};
    if (!libxl__xl_is_list(x, field->name, text) || !text->value->items)
        return;
    if (text->value->count > 64) {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: more than 64 nodes", field->name);
        return;
    }
    r.nodes = text->value->count;
    for (const libxl__xl_value *list = text->value->items; list; list = list->next) {
        if (list->form != LIBXL__XL_LIST) {
            libxl__xl_error(x, list->place, "%s: a list is expected for each node", field->name);
            return;
        }
        r.node =
            libxl__xl_append(x, list->place, &b->vnuma_nodes, &b->num_vnuma_nodes, sizeof(*b->vnuma_nodes));
        if (!r.node)
            return;
        read_node(&r, list);
        if (r.has_pnode)
            libxl_defbool_set(&b->numa_placement, false);
    }
    sum(x, b, libxl__xl_place_in(text, 0));
}

/* ---- writing the key */

void libxl__xl_write_vnuma(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_build_info *b = &((const libxl_domain_config *)object)->b_info;
    (void)base;
    for (int i = 0; i < b->num_vnuma_nodes; i++) {
        const libxl_vnode_info *node = &b->vnuma_nodes[i];
        if (!i)
            fprintf(out, "%s = [\n", field->name);
        fprintf(out, "    [ \"pnode=%u\", \"size=%llu\", \"vcpus=", node->pnode,
                (unsigned long long)node->memkb >> 10);
        libxl__xl_write_bits(out, &node->vcpus);
        fputs("\", \"vdistances=", out);
        for (int j = 0; j < node->num_distances; j++)
            fprintf(out, "%s%u", j ? "," : "", node->distances[j]);
        fputs(i + 1 < b->num_vnuma_nodes ? "\" ],\n" : "\" ],\n]\n", out);
    }
}
