/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns nothing: the nodes and the batches belong to the operation. The context's lock guards everything. */
#include "xs_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 64 };

/* Returns whether the last part of the path is a number below LIBXL__XS_TREE_NUMBERS, without leading zeros. */
static bool is_followed(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char again[16];
    const unsigned long number = strtoul(name, NULL, 10);
    snprintf(again, sizeof(again), "%lu", number);
    return number < LIBXL__XS_TREE_NUMBERS && strcmp(again, name) == 0;
}

/* Sends the requests for the nodes that were found last. Returns 0 if there are none. */
static int ask(libxl__ao *ao, libxl__xs_tree *tree)
{
    if (tree->asked == tree->count)
        return 0;
    tree->batch = libxl__xs_batch_new(ao, 0);
    if (!tree->batch)
        return ERROR_NOMEM;
    for (; tree->asked < tree->count; tree->asked++) {
        libxl__xs_tree_node *node = &tree->nodes[tree->asked];
        const char *slash = *node->path ? "/" : "";
        node->value = libxl__xs_read(tree->batch, "%s%s%s", tree->root, slash, node->path);
        if (tree->depth && (!*node->path || is_followed(node->path)))
            node->names = libxl__xs_list(tree->batch, 0, "%s%s%s", tree->root, slash, node->path);
    }
    if (tree->depth)
        tree->depth--;
    const int rc = libxl__xs_run(tree->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Adds the children of a node. Children beyond the greatest number of nodes, or with long paths, are left out. */
static int add_children(libxl__ao *ao, libxl__xs_tree *tree, const libxl__xs_tree_node *parent)
{
    const char *version;
    size_t size, at = 0;
    const char *names = libxl__xs_names(parent->names, &size, &version);
    while (names && at < size && names[at] && tree->count < LIBXL__XS_TREE_NODES) {
        const size_t length = strnlen(names + at, size - at);
        const size_t whole = strlen(parent->path) + 1 + length;
        if (whole < PATH_ROOM) {
            const char *path = libxl__gc_printf(&ao->gc, "%s%s%.*s", parent->path, *parent->path ? "/" : "",
                                                (int)length, names + at);
            if (!path)
                return ERROR_NOMEM;
            tree->nodes[tree->count++] = (libxl__xs_tree_node){.path = path, .length = strlen(path)};
        }
        at += length + 1;
    }
    return 0;
}

int libxl__xs_tree_start(libxl__ao *ao, libxl__xs_tree *tree, const char *root, unsigned depth)
{
    *tree = (libxl__xs_tree){.root = root, .depth = depth + 1, .count = 1};
    tree->nodes = libxl__gc_alloc(&ao->gc, LIBXL__XS_TREE_NODES * sizeof(*tree->nodes));
    if (!tree->nodes)
        return ERROR_NOMEM;
    tree->nodes[0] = (libxl__xs_tree_node){.path = ""};
    return ask(ao, tree);
}

int libxl__xs_tree_step(libxl__ao *ao, libxl__xs_tree *tree)
{
    if (!tree->batch)
        return 0;
    if (!libxl__xs_done(tree->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(tree->batch);
    const uint32_t found = tree->count;
    for (uint32_t i = 0; i < found && !rc; i++) {
        libxl__xs_tree_node *node = &tree->nodes[i];
        const char *value = node->value ? libxl__xs_value(node->value) : NULL;
        if (value && !(node->text = libxl__gc_printf(&ao->gc, "%s", value)))
            rc = ERROR_NOMEM;
        if (!rc && node->names)
            rc = add_children(ao, tree, node);
        node->value = node->names = NULL;
    }
    libxl__xs_batch_free(tree->batch);
    tree->batch = NULL;
    return rc ? rc : ask(ao, tree);
}

static const libxl__xs_tree_node *find(const libxl__xs_tree *tree, const char *format, va_list args)
{
    char path[PATH_ROOM];
    const size_t length = (size_t)vsnprintf(path, sizeof(path), format, args);
    for (uint32_t i = 0; i < tree->count; i++)
        if (tree->nodes[i].length == length && memcmp(tree->nodes[i].path, path, length) == 0)
            return &tree->nodes[i];
    return NULL;
}

const char *libxl__xs_tree_value(const libxl__xs_tree *tree, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    const libxl__xs_tree_node *node = find(tree, path, args);
    va_end(args);
    return node ? node->text : NULL;
}

bool libxl__xs_tree_has(const libxl__xs_tree *tree, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    const libxl__xs_tree_node *node = find(tree, path, args);
    va_end(args);
    return node && node->text;
}
