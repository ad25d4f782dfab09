/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values that a hostile guest might write into its nodes. Owns nothing; no lock. */
#include "devices.h"

#include <stdio.h>
#include <string.h>

#define TEXT(text)                                                                                           \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

static const struct {
    const char *octets;
    size_t size;
} values[] = {
    TEXT(""),
    TEXT("0"),
    TEXT("-1"),
    TEXT("4"),
    TEXT("5"),
    TEXT("6"),
    TEXT("7"),
    TEXT("9"),
    TEXT("+4"),
    TEXT(" 4"),
    TEXT("4 "),
    TEXT("04"),
    TEXT("0x4"),
    TEXT("4.0"),
    TEXT("4\n"),
    TEXT("4\0006"),
    TEXT("\0"),
    TEXT("\0\0\0\0\0\0\0\0"),
    TEXT("65535"),
    TEXT("65536"),
    TEXT("2147483647"),
    TEXT("2147483648"),
    TEXT("-2147483649"),
    TEXT("4294967295"),
    TEXT("4294967297"),
    TEXT("18446744073709551615"),
    TEXT("18446744073709551617"),
    TEXT("99999999999999999999999999999999999999999"),
    TEXT("nan"),
    TEXT("%s%s%s%s%n%n%n"),
    TEXT("%999999999d"),
    TEXT("/"),
    TEXT("//"),
    TEXT(".."),
    TEXT("../../../../0/backend"),
    TEXT("/local/domain/0"),
    TEXT("/local/domain/0/backend/vbd/1/51712"),
    TEXT("/libxl/1/device"),
    TEXT("@releaseDomain"),
    TEXT("`reboot`$(reboot);reboot|reboot&"),
    TEXT("\"quoted\" \\ 'text' {\"a\":1}"),
    TEXT("\033]0;title\007\033[2J\033[31m"),
    TEXT("line\r\nline\rline"),
    TEXT("\xff\xfe\xfd"),
    TEXT("\xc0\xaf\xed\xa0\x80"),
    TEXT("\xe2\x80\xae"),
    TEXT("connected"),
    TEXT("error"),
    TEXT("00:16:3e:00:00:00"),
    TEXT("ff:ff:ff:ff:ff:ff:ff:ff"),
};
#define NR_VALUES (sizeof values / sizeof *values)

/*
 * Returns the size of the hostile value `number`, and stores the value. A value with a small number comes
 * from the table. A value with a larger number is a sequence of random octets or a long string.
 */
size_t hostile_value(uint32_t number, char value[HOSTILE_SIZE])
{
    uint64_t random = number * 0x9e3779b97f4a7c15ull + 1;
    if (number < NR_VALUES) {
        memcpy(value, values[number].octets, values[number].size);
        return values[number].size;
    }
    const size_t size = number % 8 ? number % 64 : number % 16 ? HOSTILE_SIZE : HOSTILE_SIZE / 3;
    for (size_t i = 0; i < size; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        value[i] = (char)(number % 3 ? random : '0' + random % 10);
    }
    return size;
}
