/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing. All values are checked, because their sizes come from outside the library. The functions use only
 * their arguments, so they need no lock.
 */
#include "host_link_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

static int note_attribute(const struct nlattr *attribute, void *data)
{
    const struct nlattr **table = data;
    if (mnl_attr_type_valid(attribute, IFLA_MAX) > 0)
        table[mnl_attr_get_type(attribute)] = attribute;
    return MNL_CB_OK;
}

static int note_kind(const struct nlattr *attribute, void *data)
{
    libxl__link_info *info = data;
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND && !mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING))
        info->bridge = !strcmp(mnl_attr_get_str(attribute), "bridge");
    return MNL_CB_OK;
}

static uint32_t number_of(const struct nlattr *attribute)
{
    return attribute && !mnl_attr_validate(attribute, MNL_TYPE_U32) ? mnl_attr_get_u32(attribute) : 0;
}

bool libxl__link_read(const struct nlmsghdr *message, libxl__link_info *info)
{
    const struct nlattr *table[IFLA_MAX + 1] = {NULL};
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    *info = (libxl__link_info){0};
    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return false;
    mnl_attr_parse(message, sizeof(*header), note_attribute, table);
    info->index = header->ifi_index;
    info->up = header->ifi_flags & IFF_UP;
    info->mtu = number_of(table[IFLA_MTU]);
    info->master = (int)number_of(table[IFLA_MASTER]);
    const struct nlattr *name = table[IFLA_IFNAME], *address = table[IFLA_ADDRESS];
    if (name && !mnl_attr_validate(name, MNL_TYPE_NUL_STRING))
        snprintf(info->name, sizeof(info->name), "%s", mnl_attr_get_str(name));
    if (address && mnl_attr_get_payload_len(address) == sizeof(info->address))
        memcpy(info->address, mnl_attr_get_payload(address), sizeof(info->address));
    if (table[IFLA_LINKINFO])
        mnl_attr_parse_nested(table[IFLA_LINKINFO], note_kind, info);
    return *info->name;
}

static int note_words(const struct nlattr *attribute, void *data)
{
    if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
        !mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING))
        snprintf(data, LIBXL__LINK_WORDS, "%s", mnl_attr_get_str(attribute));
    return MNL_CB_OK;
}

void libxl__link_read_answer(const struct nlmsghdr *message, libxl__link_request *request)
{
    const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
    size_t used = sizeof(*error);
    if (mnl_nlmsg_get_payload_len(message) < used) {
        request->errnoval = EPROTO;
        return;
    }
    request->errnoval = -error->error;
    if (!(message->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len >= sizeof(error->msg))
        used += MNL_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
    if (message->nlmsg_flags & NLM_F_ACK_TLVS && mnl_nlmsg_get_payload_len(message) > used)
        mnl_attr_parse(message, (unsigned)used, note_words, request->words);
}
