/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_cpuid_policy_list: a list of changes to the CPUID leaves and MSRs that a guest sees. A list owns its
 * memory. These functions need no lock: any thread may call them.
 *
 * A change to a register is a text with one character for each bit, the highest bit first:
 *
 *   0, 1  this value
 *   x     the host's value, if the toolstack allows the feature
 *   k     the host's value
 *   s     the host's value, which must be the same on each host to which the domain migrates
 *
 * The JSON form is libxl's: {"cpuid": [{"leaf": 1, "edx": "xx0..."}], "msr": [{"index": 266, "policy":
 * "..."}]}. The reader also accepts the array of leaves alone, which older releases of libxl write.
 */
#include "_libxl_types_json.h"
#include "cpuid_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value_json.h"

#define REGISTER_BITS 32
#define MSR_BITS      64
#define NO_SUBLEAF    UINT32_MAX
/* The greatest number of leaves that is accepted in JSON. Also the greatest number of MSRs. */
#define MAX_ENTRIES 1024

static const char *const register_names[] = {"eax", "ebx", "ecx", "edx"};
enum { REGISTERS = sizeof(register_names) / sizeof(*register_names) };

typedef struct leaf {
    uint32_t leaf, subleaf;
    /* The text for each register. An empty text: the policy does not change this register. */
    char registers[REGISTERS][REGISTER_BITS + 1];
} leaf;

typedef struct msr {
    uint32_t index;
    char policy[MSR_BITS + 1];
} msr;

struct libxl__cpu_policy {
    uint32_t leaf_count, msr_count;
    leaf *leaves;
    msr *msrs;
};

void libxl_cpuid_dispose(libxl_cpuid_policy_list *cpuid_list)
{
    if (!cpuid_list || !*cpuid_list)
        return;
    free((*cpuid_list)->leaves);
    free((*cpuid_list)->msrs);
    free(*cpuid_list);
    *cpuid_list = NULL;
}

int libxl_cpuid_policy_list_length(const libxl_cpuid_policy_list *l)
{
    return l && *l ? (int)((*l)->leaf_count + (*l)->msr_count) : 0;
}

/* Makes a list with room for this number of leaves and MSRs. Returns NULL if there is no memory. */
static libxl_cpuid_policy_list new_list(size_t leaves, size_t msrs)
{
    libxl_cpuid_policy_list list = calloc(1, sizeof(*list));
    if (!list)
        return NULL;
    list->leaves = leaves ? calloc(leaves, sizeof(leaf)) : NULL;
    list->msrs = msrs ? calloc(msrs, sizeof(msr)) : NULL;
    if ((leaves && !list->leaves) || (msrs && !list->msrs))
        libxl_cpuid_dispose(&list);
    return list;
}

int libxl__cpuid_policy_list_copy(libxl_ctx *ctx, libxl_cpuid_policy_list *dst,
                                  const libxl_cpuid_policy_list *src)
{
    (void)ctx;
    *dst = NULL;
    if (!libxl_cpuid_policy_list_length(src))
        return 0;
    const struct libxl__cpu_policy *from = *src;
    libxl_cpuid_policy_list to = new_list(from->leaf_count, from->msr_count);
    if (!to)
        return ERROR_NOMEM;
    to->leaf_count = from->leaf_count;
    to->msr_count = from->msr_count;
    if (to->leaf_count)
        memcpy(to->leaves, from->leaves, to->leaf_count * sizeof(leaf));
    if (to->msr_count)
        memcpy(to->msrs, from->msrs, to->msr_count * sizeof(msr));
    *dst = to;
    return 0;
}

void libxl_cpuid_policy_list_copy(libxl_ctx *ctx, libxl_cpuid_policy_list *dst,
                                  const libxl_cpuid_policy_list *src)
{
    if (libxl__cpuid_policy_list_copy(ctx, dst, src))
        errno = ENOMEM;
}

/* ---- functions that read a list */

uint32_t libxl__cpuid_leaves(const libxl_cpuid_policy_list *list)
{
    return *list ? (*list)->leaf_count : 0;
}

uint32_t libxl__cpuid_msrs(const libxl_cpuid_policy_list *list)
{
    return *list ? (*list)->msr_count : 0;
}

libxl__cpuid_leaf libxl__cpuid_leaf_at(const libxl_cpuid_policy_list *list, uint32_t index)
{
    const leaf *entry = &(*list)->leaves[index];
    libxl__cpuid_leaf out = {.leaf = entry->leaf, .subleaf = entry->subleaf};
    for (size_t i = 0; i < REGISTERS; i++)
        out.registers[i] = entry->registers[i][0] ? entry->registers[i] : NULL;
    return out;
}

const char *libxl__cpuid_msr_at(const libxl_cpuid_policy_list *list, uint32_t index, uint32_t *msr)
{
    *msr = (*list)->msrs[index].index;
    return (*list)->msrs[index].policy;
}

/* ---- functions that change a list */

/* Makes room for one more element of an array. Returns a pointer to it, or NULL if there is no memory. */
static void *append(void *array, uint32_t *count, size_t size)
{
    void **base = array;
    char *larger = realloc(*base, (*count + 1) * size);
    if (!larger)
        return NULL;
    *base = larger;
    return memset(larger + (*count)++ * size, 0, size);
}

static leaf *leaf_of(struct libxl__cpu_policy *list, uint32_t number, uint32_t subleaf)
{
    for (uint32_t i = 0; i < list->leaf_count; i++)
        if (list->leaves[i].leaf == number && list->leaves[i].subleaf == subleaf)
            return &list->leaves[i];
    leaf *added = append(&list->leaves, &list->leaf_count, sizeof(leaf));
    if (added) {
        added->leaf = number;
        added->subleaf = subleaf;
    }
    return added;
}

char *libxl__cpuid_register(libxl_cpuid_policy_list *list, uint32_t number, uint32_t subleaf, unsigned reg)
{
    if (!*list)
        *list = new_list(0, 0);
    leaf *entry = *list ? leaf_of(*list, number, subleaf) : NULL;
    if (!entry)
        return NULL;
    if (!entry->registers[reg][0])
        memset(entry->registers[reg], 'x', REGISTER_BITS);
    return entry->registers[reg];
}

char *libxl__cpuid_msr(libxl_cpuid_policy_list *list, uint32_t index)
{
    if (!*list)
        *list = new_list(0, 0);
    for (uint32_t i = 0; *list && i < (*list)->msr_count; i++)
        if ((*list)->msrs[i].index == index)
            return (*list)->msrs[i].policy;
    msr *added = *list ? append(&(*list)->msrs, &(*list)->msr_count, sizeof(msr)) : NULL;
    if (!added)
        return NULL;
    added->index = index;
    memset(added->policy, 'x', MSR_BITS);
    return added->policy;
}

/* ---- writing JSON */

static int write_leaf(const leaf *entry, json_object *object)
{
    int rc = libxl__json_set(object, "leaf", json_object_new_int64(entry->leaf));
    if (!rc && entry->subleaf != NO_SUBLEAF)
        rc = libxl__json_set(object, "subleaf", json_object_new_int64(entry->subleaf));
    for (size_t i = 0; !rc && i < REGISTERS; i++)
        if (entry->registers[i][0])
            rc = libxl__json_set(object, register_names[i], json_object_new_string(entry->registers[i]));
    return rc;
}

static int write_msr(const msr *entry, json_object *object)
{
    const int rc = libxl__json_set(object, "index", json_object_new_int64(entry->index));
    return rc ? rc : libxl__json_set(object, "policy", json_object_new_string(entry->policy));
}

static int write_policy(const struct libxl__cpu_policy *list, json_object *leaves, json_object *msrs)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && list && i < list->leaf_count; i++) {
        json_object *object = json_object_new_object();
        rc = libxl__json_append(leaves, object);
        if (!rc)
            rc = write_leaf(&list->leaves[i], object);
    }
    for (uint32_t i = 0; !rc && list && i < list->msr_count; i++) {
        json_object *object = json_object_new_object();
        rc = libxl__json_append(msrs, object);
        if (!rc)
            rc = write_msr(&list->msrs[i], object);
    }
    return rc;
}

int libxl__cpuid_policy_list_gen_json(const libxl_cpuid_policy_list *p, json_object **out)
{
    *out = json_object_new_object();
    json_object *leaves = json_object_new_array(), *msrs = json_object_new_array();
    int rc = *out ? libxl__json_set(*out, "cpuid", leaves) : ERROR_NOMEM;
    if (!*out)
        json_object_put(leaves);
    rc = rc ? rc : libxl__json_set(*out, "msr", msrs);
    rc = rc ? rc : write_policy(*p, leaves, msrs);
    if (rc) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- reading JSON */

/* Reads a text of `bits` characters, one for each bit. */
static int read_bits(json_object *in, char *text, size_t bits)
{
    if (!json_object_is_type(in, json_type_string) || (size_t)json_object_get_string_len(in) != bits)
        return ERROR_INVAL;
    memcpy(text, json_object_get_string(in), bits);
    text[bits] = 0;
    return strspn(text, "01xks") == bits ? 0 : ERROR_INVAL;
}

static int read_number(json_object *in, uint32_t *out)
{
    const int64_t value = json_object_is_type(in, json_type_int) ? json_object_get_int64(in) : -1;
    *out = (uint32_t)value;
    return value >= 0 && value <= UINT32_MAX ? 0 : ERROR_INVAL;
}

static int read_leaf_member(leaf *entry, const char *key, json_object *value, bool *has_leaf)
{
    if (strcmp(key, "leaf") == 0) {
        *has_leaf = true;
        return read_number(value, &entry->leaf);
    }
    if (strcmp(key, "subleaf") == 0)
        return read_number(value, &entry->subleaf);
    for (size_t i = 0; i < REGISTERS; i++)
        if (strcmp(key, register_names[i]) == 0)
            return read_bits(value, entry->registers[i], REGISTER_BITS);
    return ERROR_INVAL;
}

static int read_leaf(json_object *in, leaf *entry)
{
    bool has_leaf = false;
    entry->subleaf = NO_SUBLEAF;
    if (!json_object_is_type(in, json_type_object))
        return ERROR_INVAL;
    json_object_object_foreach(in, key, value)
    {
        if (read_leaf_member(entry, key, value, &has_leaf))
            return ERROR_INVAL;
    }
    return has_leaf ? 0 : ERROR_INVAL;
}

static int read_msr(json_object *in, msr *entry)
{
    if (!json_object_is_type(in, json_type_object) || json_object_object_length(in) != 2)
        return ERROR_INVAL;
    const int rc = read_number(json_object_object_get(in, "index"), &entry->index);
    return rc ? rc : read_bits(json_object_object_get(in, "policy"), entry->policy, MSR_BITS);
}

/*
 * Sets *out to the length of an array. `in` NULL: the array is missing, and its length is 0. Errors: INVAL.
 */
static int array_length(json_object *in, size_t *out)
{
    *out = 0;
    if (!in)
        return 0;
    if (!json_object_is_type(in, json_type_array) || json_object_array_length(in) > MAX_ENTRIES)
        return ERROR_INVAL;
    *out = json_object_array_length(in);
    return 0;
}

static int read_policy(libxl_cpuid_policy_list *p, json_object *leaves, json_object *msrs)
{
    size_t leaf_count, msr_count;
    int rc = array_length(leaves, &leaf_count);
    rc = rc ? rc : array_length(msrs, &msr_count);
    if (rc || !(leaf_count + msr_count))
        return rc;
    *p = new_list(leaf_count, msr_count);
    if (!*p)
        return ERROR_NOMEM;
    (*p)->leaf_count = (uint32_t)leaf_count;
    (*p)->msr_count = (uint32_t)msr_count;
    for (size_t i = 0; !rc && i < leaf_count; i++)
        rc = read_leaf(json_object_array_get_idx(leaves, i), &(*p)->leaves[i]);
    for (size_t i = 0; !rc && i < msr_count; i++)
        rc = read_msr(json_object_array_get_idx(msrs, i), &(*p)->msrs[i]);
    if (rc)
        libxl_cpuid_dispose(p);
    return rc;
}

int libxl__cpuid_policy_list_parse_json(libxl_ctx *ctx, libxl_cpuid_policy_list *p, json_object *in)
{
    (void)ctx;
    *p = NULL;
    if (json_object_is_type(in, json_type_array))
        return read_policy(p, in, NULL);
    if (!json_object_is_type(in, json_type_object))
        return ERROR_INVAL;
    json_object *leaves = NULL, *msrs = NULL;
    const int known =
        json_object_object_get_ex(in, "cpuid", &leaves) + json_object_object_get_ex(in, "msr", &msrs);
    if (known != json_object_object_length(in))
        return ERROR_INVAL;
    return read_policy(p, leaves, msrs);
}
